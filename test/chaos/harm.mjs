import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { commandOf } from './run.mjs'

/**
 * @typedef {import('./random.mjs').Random} Random
 * @typedef {import('./world.mjs').World} World
 * @typedef {import('./world.mjs').Place} Place
 * @typedef {ReturnType<World['start']>} Run
 * @typedef {{ world: World, place: Place, run: Run, random: Random, side: 'source' | 'target' }} Aim
 */

/** @type {Record<string, (aim: Aim) => unknown>} */
const ANYWHERE = {
  SIGKILL: ({ run }) => run.child.kill('SIGKILL'),
  SIGTERM: ({ run }) => run.child.kill('SIGTERM'),
  SIGINT: ({ run }) => run.child.kill('SIGINT'),

  async 'two signals'({ run, random }) {
    run.child.kill('SIGTERM')
    await sleep(random.below(300))
    run.child.kill('SIGINT')
  },

  /** Sessions, one, or all of this program's. */
  async 'session ended'({ world, random, side }) {
    const limit = random.pick(['LIMIT 1', ''])
    await world.query(
      side,
      'postgres',
      `SELECT pg_terminate_backend(pid) FROM
         (SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'pgveil%' ${limit}) each`,
    )
  },

  /** A worker, or pg_dump. */
  'child killed'({ run, random }) {
    const ours = [...run.descendants].filter((pid) =>
      /worker\.js|loader\.js|pg_dump/.test(commandOf(pid)),
    )
    if (ours.length > 0) process.kill(random.pick(ours), 'SIGKILL')
  },
}

/** @type {Record<string, (aim: Aim) => unknown>} */
const BUCKET = {
  /** What passes, or lasts for the run: refusals, resets, hung requests, lost answers, bodies cut off. */
  'bucket fault'({ world, random }) {
    const fault = random.pick([
      { status: 403, code: 'AccessDenied' },
      { status: 503, code: 'SlowDown' },
      { status: 500, code: 'InternalError' },
      { loseAnswer: /** @type {const} */ (true) },
      { truncateAfter: 1000 },
      { resetAfter: 1000 },
      /** @type {const} */ ('reset'),
      /** @type {const} */ ('hang'),
    ])
    // What may pass lasts for less than the patience of a run, which would be a minute for each of them.
    let times =
      typeof fault === 'object' && 'status' in fault && fault.status === 403
        ? 1e9
        : 1 + random.below(4)
    world.s3.onRequest = () => (times-- > 0 ? fault : undefined)
  },
}

/** @type {Record<string, (aim: Aim) => unknown>} */
const DIRECTORY = {
  /** Unmounted, and for good or not mounted again. */
  async 'directory gone'({ world, place, run }) {
    const path = join(world.directory, place.prefix)
    renameSync(path, `${path}.away`)
    await run.done.catch(() => {})
    renameSync(`${path}.away`, path)
  },
}

/**
 * What can be done to a run.
 *
 * @param {Place['kind']} kind
 */
export function harmsFor(kind) {
  return { ...ANYWHERE, ...(kind === 's3' ? BUCKET : DIRECTORY) }
}
