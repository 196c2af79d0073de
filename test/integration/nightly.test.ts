import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { parseAllDocuments } from 'yaml'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import { runNight, type NightlyStepName } from '../../src/commands/nightly-steps.ts'
import type { Event } from '../../src/report/events.ts'
import { labelOf, makeKeys, runBackup, writeConfig, type TrialKeys } from '../fixtures/backups.ts'
import { runPgveil } from '../fixtures/run-pgveil.ts'
import { makeSigner } from '../fixtures/verify-trial.ts'

// The order of the night: what runs after what, what one failure keeps from running, and never two at once.

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const SCRIPTS = fileURLToPath(new URL('../../scripts', import.meta.url))

let root = ''
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'pgveil-nightly-'))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

describe('the order', () => {
  /** Runs a night whose commands end as told. */
  async function night(codes: Record<string, number>, skip: NightlyStepName[] = []) {
    const program = join(root, 'stub.cjs')
    writeFileSync(
      program,
      `process.stdout.write(process.argv.slice(2).join(' ') + '\\n')
       const step = process.argv.includes('--all-unproven') ? 'unproven' : process.argv[2]
       process.exitCode = JSON.parse(process.env.CODES)[step] ?? 0`,
    )
    const out: string[] = []
    const events: Event[] = []
    const steps = await runNight(
      skip,
      {
        program,
        args: ['--quiet'],
        cwd: root,
        env: { CODES: JSON.stringify(codes) },
        stdout: { write: (text: string) => out.push(text) },
        stderr: process.stderr,
      },
      (event) => events.push(event),
      new AbortController().signal,
    )
    const said = out.join('').trimEnd().split('\n')
    const ran = said.map((line) => (line.includes('--all') ? 'unproven' : line.split(' ')[0]))
    return { ran, said, steps, events }
  }

  test('is backup, verify, what is unproven, report, prune', async () => {
    const { said, steps, events } = await night({})
    const commands = ['backup', 'verify', 'verify --all-unproven', 'report', 'prune']
    expect(said).toEqual(commands.map((command) => `${command} --quiet`))
    expect(steps.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0, 0])
    expect(events.filter(({ event }) => event === 'step')).toHaveLength(10)
  })

  const ALL = ['backup', 'verify', 'unproven', 'report', 'prune']
  const BUT_PRUNE = ['backup', 'verify', 'unproven', 'report']
  const NO_PROOF = ['backup', 'verify', 'report']
  test.each<[string, Record<string, number>, NightlyStepName[], string[]]>([
    ['the backup fails: the latest is tested, nothing removed', { backup: 11 }, [], BUT_PRUNE],
    ['the test fails: nothing is removed', { verify: 20 }, [], NO_PROOF],
    ['both fail: it is reported', { backup: 13, verify: 14 }, [], NO_PROOF],
    ['an older one fails: the rest is done', { unproven: 20 }, [], ALL],
    ['the report fails: the rest is done', { report: 12 }, [], ALL],
    ['without a test nothing is removed', {}, ['verify'], ['backup', 'report']],
    ['without a backup of its own', {}, ['backup'], ALL.slice(1)],
  ])('%s', async (_, codes, skip, expected) => {
    const { ran, steps } = await night(codes, skip)
    expect(ran).toEqual(expected)
    for (const { step, exitCode, reason } of steps) {
      expect(exitCode).toBe(expected.includes(step) ? (codes[step] ?? 0) : undefined)
      expect(reason === undefined).toBe(expected.includes(step))
    }
  })
})

describe('pgveil nightly', () => {
  let keys: TrialKeys
  let place = ''
  let config = ''
  let env: NodeJS.ProcessEnv = {}

  beforeAll(async () => {
    keys = await makeKeys(join(root, 'keys'))
  })
  beforeEach(async () => {
    place = mkdtempSync(join(root, 'at-'))
    env = { XDG_STATE_HOME: place }
    config = await configured(1)
  })

  function configured(port: number): Promise<string> {
    const source = `postgresql://reader@127.0.0.1:${port}/crm`
    return writeConfig(place, { keys, source, store: join(place, 'store') })
  }

  async function nightly(...args: string[]) {
    const run = await runPgveil(['nightly', '--config', config, '--json', ...args], { env })
    const lines = run.stdout.split('\n').filter((line) => line !== '')
    return { ...run, events: lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
  }

  const NOTHING = ['--skip', 'backup,verify,report,prune']

  test('ends with the code of the first step that failed, and shows what each said', async () => {
    const { code, events, stderr } = await nightly('--skip', 'verify,report')
    expect(code).toBe(11)
    expect(stderr).toContain('cannot connect to postgres://reader@127.0.0.1:1/crm')
    expect(stderr).toContain('the step backup failed with exit code 11')
    expect(events.filter(({ event }) => event === 'nightly')).toMatchObject([
      {
        exitCode: 11,
        steps: [
          { step: 'backup', exitCode: 11 },
          { step: 'verify', reason: 'as told by --skip' },
          { step: 'unproven', reason: 'no backup was proven in this run' },
          { step: 'report', reason: 'as told by --skip' },
          { step: 'prune', reason: 'the backup failed' },
        ],
      },
    ])
    const { stdout } = await runPgveil(['audit', 'show', '--config', config], { env })
    expect(stdout).toMatch(/ nightly .* source \(11\)/)
    expect(stdout).toMatch(/ backup .* source \(11\)/)
  })

  test('does all of it: the backup is made, proven, reported and kept', async () => {
    const server = await startPostgres()
    try {
      const verify = {
        key: keys.verifier.privateKey,
        signingKey: keys.signer.privateKey,
        signer: keys.signer.publicKey,
      }
      const store = join(place, 'store')
      config = await writeConfig(place, { keys, source: server.url, store, rest: { verify } })
      const { code, stderr, events } = await nightly()
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const ended = events.find(({ event }) => event === 'nightly')?.['steps']
      expect(ended).toMatchObject(
        ['backup', 'verify', 'unproven', 'report', 'prune'].map((step) => ({ step, exitCode: 0 })),
      )
      expect(readdirSync(join(place, 'pgveil', 'reports')).length).toBeGreaterThan(0)
      const { stdout } = await runPgveil(['list', '--config', config, '--json'], { env })
      expect(JSON.parse(stdout)).toMatchObject({ backups: [{ proven: 'pass', problems: [] }] })
      await onTheVerifyingHost(server.url, verify)
    } finally {
      await server.stop()
    }
  })

  /**
   * Nothing but what docs/schedule.md gives that host; two backups of its chain, the elder not tested in its night, and
   * one of another chain in the store.
   */
  async function onTheVerifyingHost(source: string, verify: Record<string, string>): Promise<void> {
    const store = join(place, 'store')
    const here = await makeSigner(place, 'here')
    const signer = [keys.signer.publicKey, here.publicKey]
    const retention = { days: 0, daily: 1, weekly: 0, monthly: 0 }
    for (const name of ['postgres', 'other', 'postgres']) {
      const at = join(place, 'backup-host')
      const file = await writeConfig(at, { keys, source, store, name, backup: { signer } })
      labelOf(await runBackup({ config: file }))
      await sleep(1100)
    }
    const verdicts = await makeSigner(place, 'verdicts')
    config = await writeConfig(join(place, 'verifying'), {
      keys,
      source: 'postgres://nobody@127.0.0.1:1/none',
      store,
      name: 'postgres',
      backup: { signer, signingKey: here.privateKey },
      rest: {
        verify: {
          ...verify,
          signingKey: verdicts.privateKey,
          signer: [keys.signer.publicKey, verdicts.publicKey],
        },
        retention,
        state: join(place, 'verifying', 'state'),
      },
    })
    const { code, stderr, events } = await nightly('--skip', 'backup')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const tested = events.filter(({ event }) => event === 'verdict').map(({ verdict }) => verdict)
    expect(tested).toMatchObject([{ outcome: 'pass' }, { outcome: 'pass' }])
    const pruned = events.find(({ event }) => event === 'prune')?.['backups'] as {
      name: string
      outcome: string
    }[]
    expect(pruned.map(({ name, outcome }) => `${name} ${outcome}`).toSorted()).toEqual([
      'other kept',
      'postgres kept',
      'postgres removed',
      'postgres removed',
    ])
  }

  test('refuses steps that there are not', async () => {
    const { code, stderr } = await nightly('--skip', 'verfy')
    expect(stderr).toMatch(/--skip: there is no step verfy\nhint: did you mean verify/)
    expect(code).toBe(2)
  })

  test('says that a night was missed, or did not end, once', async () => {
    const file = join(place, 'pgveil', 'nightly.json')
    const warnings = async () => {
      const { events, code } = await nightly(...NOTHING)
      expect(code).toBe(0)
      return events.filter(({ event }) => event === 'warning').map(({ message }) => message)
    }
    expect(await warnings()).toEqual([])
    const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString()
    writeFileSync(file, JSON.stringify({ started: ago(30), finished: ago(29) }))
    expect(await warnings()).toEqual([])
    writeFileSync(file, JSON.stringify({ started: ago(50), finished: ago(49) }))
    expect(await warnings()).toEqual([
      expect.stringMatching(/^there was no run since 20\S+Z, though/),
    ])
    expect(await warnings()).toEqual([])
    writeFileSync(file, JSON.stringify({ started: ago(20) }))
    expect(await warnings()).toEqual([
      expect.stringMatching(/^the run of 20\S+ did not come to its end$/),
    ])
  })

  test('runs once at a time; a lock of one that was killed is taken over', async () => {
    const sockets = new Set<{ destroy(): void }>()
    const silent = createServer((socket) => sockets.add(socket.on('error', () => undefined)))
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    config = await configured((silent.address() as { port: number }).port)
    const first = spawn(process.execPath, [CLI, 'nightly', '--config', config], {
      env: { PATH: process.env['PATH'], ...env },
      stdio: 'ignore',
    })
    try {
      while (sockets.size === 0) await sleep(20)
      const second = await nightly(...NOTHING)
      expect(second.stderr).toMatch(
        new RegExp(`nightly.lock is held by process ${first.pid} on \\S+ since \\S+Z\nhint: wait`),
      )
      expect(second.code).toBe(16)
      first.kill('SIGKILL')
      await once(first, 'close')
      expect((await nightly(...NOTHING)).code).toBe(0)
    } finally {
      first.kill('SIGKILL')
      for (const socket of sockets) socket.destroy()
      silent.close()
    }
  })

  test('SIGTERM ends the step at hand, and no other one starts', async () => {
    const sockets = new Set<{ destroy(): void }>()
    const silent = createServer((socket) => sockets.add(socket.on('error', () => undefined)))
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    config = await configured((silent.address() as { port: number }).port)
    const child = spawn(process.execPath, [CLI, 'nightly', '--config', config, '--json'], {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    while (sockets.size === 0) await sleep(20)
    child.kill('SIGTERM')
    // The night says so, and so does its step.
    while (stdout.split('"stopping: ').length < 3) await sleep(20)
    for (const socket of sockets) socket.destroy()
    silent.close()
    if (child.exitCode === null) await once(child, 'close')
    const code = child.exitCode
    expect(code).toBe(143)
    expect(stdout).toContain('"step":"backup","state":"finished","exitCode":143')
    expect(stdout).not.toContain('"step":"verify","state":"started"')
    expect(existsSync(join(place, 'pgveil', 'nightly.lock'))).toBe(false)
  })
})

describe('files for schedulers', () => {
  const read = (path: string) => readFileSync(join(SCRIPTS, path), 'utf8')
  const files = ['systemd', 'cron', 'kubernetes'].flatMap((folder) =>
    readdirSync(join(SCRIPTS, folder)).map((name) => join(folder, name)),
  )

  /** `nightly --quiet` of each command line in a file. */
  function commandsIn(file: string): string[] {
    const text = read(file).replace(/^\s*#.*$/gm, '')
    const lines = [...text.matchAll(/(?:bin\/|&& )pgveil ([a-z].*)$/gm)].map(
      ([, args = '']) => args,
    )
    const containers = [...text.matchAll(/^\s*args: \[(.*)\]$/gm)]
    return [...lines, ...containers.map(([, args = '']) => args.replaceAll(',', ''))]
  }

  test('each command in them is one, with the options that it has', async () => {
    const found = files.flatMap(commandsIn)
    expect(found.length).toBeGreaterThanOrEqual(7)
    for (const line of new Set(found)) {
      const words = line.split(' ')
      const options = words.filter((word) => word.startsWith('--'))
      const command = words.filter((word) => !word.startsWith('--'))
      const { code, stdout } = await runPgveil([...command, '--help'])
      expect({ line, code, usage: stdout.split('\n')[0] }).toEqual({
        line,
        code: 0,
        usage: `pgveil ${command.join(' ')}`,
      })
      for (const option of options) expect(stdout).toMatch(new RegExp(`^ +${option} `, 'm'))
    }
  })

  test.each(files.filter((file) => file.endsWith('.yaml')))('%s keeps to itself', (file) => {
    const documents = parseAllDocuments(read(file))
    expect(documents.flatMap(({ errors }) => errors)).toEqual([])
    const cron = documents.map((each) => each.toJS()).find(({ kind }) => kind === 'CronJob')
    const pod = cron.spec.jobTemplate.spec.template.spec
    const [container] = pod.containers
    expect(cron.spec).toMatchObject({ concurrencyPolicy: 'Forbid', timeZone: 'Etc/UTC' })
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true })
    expect(container.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    const mounted = container.volumeMounts.map(({ name }: { name: string }) => name)
    expect(pod.volumes.map(({ name }: { name: string }) => name).sort()).toEqual(mounted.sort())
    expect(mounted).toContain('state')
  })

  test.each(files.filter((file) => /(backup|nightly)\.service$/.test(file)))(
    '%s keeps to itself',
    (file) => {
      for (const line of [
        'LimitCORE=0',
        'PrivateTmp=yes',
        'ProtectSystem=strict',
        'StateDirectory=pgveil',
      ])
        expect(read(file).split('\n')).toContain(line)
      expect(read(file)).toMatch(/^LoadCredential=/m)
    },
  )

  const directories = (process.env['PATH'] ?? '').split(delimiter)
  const analyze = directories.map((each) => join(each, 'systemd-analyze')).find(existsSync)
  if (!analyze) process.stderr.write('\nSKIPPED: the nightly unit, without systemd-analyze\n\n')
  ;(analyze ? test : test.skip)('systemd knows every word of the nightly unit', () => {
    const directory = mkdtempSync(join(root, 'units-'))
    for (const name of [
      'pgveil-nightly.service',
      'pgveil-nightly.timer',
      'pgveil-failed@.service',
    ]) {
      const text = read(`systemd/${name}`)
      writeFileSync(
        join(directory, name),
        text.replace(/^ExecStart=\S+/gm, `ExecStart=${process.execPath}`),
      )
    }
    const units = ['service', 'timer'].map((kind) => join(directory, `pgveil-nightly.${kind}`))
    const { stdout, stderr } = spawnSync(analyze ?? '', ['verify', ...units], {
      encoding: 'utf8',
    })
    expect(stdout + stderr).toBe('')
  })
})
