import { setTimeout as sleep } from 'node:timers/promises'
import { harmsFor } from './harm.mjs'

/**
 * @typedef {import('./random.mjs').Random} Random
 * @typedef {import('./world.mjs').World} World
 * @typedef {import('./world.mjs').Place} Place
 * @typedef {import('./run.mjs').Ended} Ended
 * @typedef {{ what: string, outcome: string }} Point
 */

/** Exit codes that a run may fail with; null: the signal itself ended it. */
const BACKUP_CODES = [11, 13, 130, 143, null]
const RESTORE_CODES = [12, 13, 130, 143, null]
/** A worker that was killed. */
const CRASH = /error: a worker process ended by itself \(signal SIGKILL\)/

/** What was promised and not kept. */
export class Violation extends Error {}

/** @param {unknown} holds @param {string} what @param {Ended} [ended] */
function promise(holds, what, ended) {
  if (holds) return
  throw new Violation(ended ? `${what}\nexit code ${ended.code}: ${ended.stderr}` : what)
}

/** Attacks backups and restores on stores of its own, and remembers what is in them. */
export class Attack {
  #world
  #random
  /** @type {Place} */ #place
  /** @type {string[]} */ #labels = []
  /** Typical milliseconds. */
  #usual = { backup: 1500, restore: 2000 }
  #name = ''

  /** @param {World} world @param {Random} random */
  constructor(world, random) {
    this.#world = world
    this.#random = random
    this.#place = world.place('directory')
  }

  /** Goes to an empty store and makes one backup there. @param {Place['kind']} kind */
  async begin(kind) {
    this.#world.s3.onRequest = () => undefined
    this.#place = this.#world.place(kind)
    const ended = await this.#world.startBackup(this.#place).done
    promise(ended.code === 0, 'a backup that nobody disturbs fails', ended)
    this.#usual.backup = ended.milliseconds
    this.#labels = await this.#list()
    promise(this.#labels.length === 1, 'the first backup is not listed')
    await this.#expectRestores(this.#labels[0] ?? '')
  }

  /** @returns {Promise<Point>} */
  async point() {
    const operation = this.#random.next() < 0.65 ? 'backup' : 'restore'
    const harms = harmsFor(this.#place.kind)
    const name = this.#random.pick(Object.keys(harms))
    this.#name = name
    const harm = /** @type {(typeof harms)[string]} */ (harms[name])
    const at = this.#random.next() * 1.1 * this.#usual[operation]
    const what = `${operation} in a ${this.#place.kind}, ${name} after ${Math.round(at)} ms`
    try {
      const outcome =
        operation === 'backup' ? await this.#backup(harm, at) : await this.#restore(harm, at)
      return { what: `${operation}, ${name}`, outcome }
    } catch (error) {
      if (error instanceof Violation) throw new Violation(`${what}: ${error.message}`)
      throw new Error(what, { cause: error })
    } finally {
      this.#world.s3.onRequest = () => undefined
    }
  }

  /** @param {(aim: import('./harm.mjs').Aim) => unknown} harm @param {number} at */
  async #backup(harm, at) {
    const [world, place, random] = [this.#world, this.#place, this.#random]
    const before = world.names(place)
    const run = world.startBackup(place)
    await sleep(at)
    await harm({ world, place, run, random, side: 'source' })
    const ended = await run.done
    world.s3.onRequest = () => undefined
    await this.#expectNothingOpen('source', ended)
    const labels = await this.#list()
    const added = labels.filter((label) => !this.#labels.includes(label))
    promise(
      this.#labels.every((label) => labels.includes(label)),
      'an older backup is gone',
      ended,
    )
    this.#labels = labels
    if (ended.code === 0) {
      promise(added.length === 1, `${added.length} backups after one that succeeded`, ended)
      await this.#expectRestores(added[0] ?? '')
      return 'done'
    }
    this.#expectDocumented(ended, BACKUP_CODES)
    const saysSo = added.every((label) =>
      ended.stderr.includes(`the backup ${label}, which is whole`),
    )
    promise(added.length <= 1 && (ended.code === null || saysSo), `shows ${added.join()}`, ended)
    for (const label of added) await this.#expectRestores(label)
    if (ended.code !== null && !ended.stderr.includes('left behind')) {
      const left = world.names(place).filter((name) => !before.includes(name))
      promise(left.length === 0, `leaves ${left.join()} in the store`, ended)
    }
    return added.length === 1 ? 'killed when done' : 'failed'
  }

  /** @param {(aim: import('./harm.mjs').Aim) => unknown} harm @param {number} at */
  async #restore(harm, at) {
    const [world, place, random] = [this.#world, this.#place, this.#random]
    const label = random.pick(this.#labels)
    const run = world.startRestore(place, label)
    await sleep(at)
    await harm({ world, place, run, random, side: 'target' })
    const ended = await run.done
    world.s3.onRequest = () => undefined
    await this.#expectNothingOpen('target', ended)
    const there = (await world.restored()).includes('restored')
    if (ended.code === 0) {
      promise(there, 'there is no database after a restore that succeeded', ended)
      await this.#expectEqual('after a restore that succeeded')
    } else {
      this.#expectDocumented(ended, RESTORE_CODES)
      if (there) {
        // The signal came between the hand-over and the end.
        promise(ended.code === null, 'there is a database after a restore that failed', ended)
        await this.#expectEqual('after a restore that was killed')
      }
    }
    await world.query('target', 'postgres', 'DROP DATABASE IF EXISTS restored')
    await this.#expectRestores(label, ended.code !== 0 && random.next() < 0.5 ? ['--continue'] : [])
    return ended.code === 0 ? 'done' : 'failed'
  }

  /** @param {Ended} ended @param {readonly (number | null)[]} codes */
  #expectDocumented(ended, codes) {
    const crash = this.#name === 'child killed' && ended.code === 1 && CRASH.test(ended.stderr)
    promise(crash || codes.includes(ended.code), 'ends with a code that it should not', ended)
    promise(ended.code === null || /error: \S/.test(ended.stderr), 'says nothing', ended)
  }

  /** @param {'source' | 'target'} side @param {Ended} ended */
  async #expectNothingOpen(side, ended) {
    // A worker that was killed while its pg_dump ran leaves the socket of that behind.
    promise(
      ended.left.length === 0 || this.#name === 'child killed',
      `leaves ${ended.left.join()} in the temporary directory`,
      ended,
    )
    const sql = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name LIKE 'pgveil%'`
    for (let i = 0; i < 100; i++) {
      const [{ n }] = await this.#world.query(side, 'postgres', sql)
      if (n === 0) return
      await sleep(100)
    }
    promise(false, `sessions stay open on the ${side}`, ended)
  }

  /** @returns {Promise<string[]>} */
  async #list() {
    const ended = await this.#world.start(this.#place, ['list']).done
    promise(ended.code === 0, 'list finds something wrong', ended)
    const event = ended.events.find((each) => each.event === 'backups')
    return event?.['backups'].map((/** @type {{ label: string }} */ { label }) => label) ?? []
  }

  /** @param {string} label @param {string[]} more */
  async #expectRestores(label, more = []) {
    const ended = await this.#world.startRestore(this.#place, label, more).done
    promise(ended.code === 0, `${label} does not restore ${more.join(' ')}`, ended)
    if (more.length === 0) this.#usual.restore = ended.milliseconds
    await this.#expectEqual(`restored ${label} ${more.join(' ')}`)
    const there = await this.#world.restored()
    promise(there.join() === 'restored', `databases on the target: ${there.join()}`, ended)
    await this.#world.query('target', 'postgres', 'DROP DATABASE restored')
  }

  /** @param {string} when */
  async #expectEqual(when) {
    const found = await this.#world.digest('target', 'restored')
    promise(found === this.#world.rows, `${when}: ${found} instead of ${this.#world.rows}`)
  }
}
