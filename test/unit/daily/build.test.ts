import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { operationsSettings } from '../../../src/config/operations.ts'
import { buildReport, type DailyOptions } from '../../../src/daily/build.ts'
import { runReport } from '../../../src/daily/run.ts'
import type { Event } from '../../../src/report/events.ts'
import { generateKey } from '../../../src/seal/generate.ts'

let directory: string
let options: Omit<DailyOptions, 'history'>

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgveil-daily-'))
  const file = async (name: string, use: 'sign' | 'encrypt', days?: number) => {
    const expires = days === undefined ? {} : { expires: new Date(Date.now() + days * 86_400_000) }
    const path = join(directory, `${name}.asc`)
    await writeFile(path, (await generateKey({ name, use, ...expires })).publicKey)
    return [{ file: path }]
  }
  await mkdir(join(directory, 'store'))
  options = {
    store: { kind: 'directory', path: join(directory, 'store') },
    backup: {
      sides: [
        { name: 'operations', keys: await file('operations', 'encrypt') },
        { name: 'offline', keys: await file('offline', 'encrypt', 12) },
      ],
      verifier: await file('verifier', 'encrypt'),
      signer: await file('signer', 'sign'),
      level: 1,
    },
    operations: operationsSettings({ state: 'state' }, directory, {}),
    env: {},
    at: Date.now(),
    tool: 'pgveil test',
  }
})

afterEach(() => rm(directory, { recursive: true }))

test('an empty store: what is wrong comes first, keys near their end are seen', async () => {
  const { report, history } = await buildReport({ ...options, history: [] })
  expect(report.problems.map(({ standing, check }) => [standing, check])).toEqual([
    ['bad', 'backup'],
    ['attention', 'keys'],
  ])
  expect(report.problems[1]?.message).toMatch(/^key of side offline .* in 1[12] days$/)
  expect(report).toMatchObject({
    standing: 'bad',
    name: null,
    latest: null,
    host: expect.any(String),
  })
  expect(report.reason).toBe(report.problems[0]?.message)
  expect(history).toEqual([])
  // Made where backups are not: no signing key is no news.
  expect(report.keys.map(({ role }) => role)).not.toContain('signing key')
})

test('what is a problem is not told again among what is worth knowing', async () => {
  const { publicKey, privateKey } = await generateKey({ name: 'offline', use: 'encrypt' })
  await writeFile(join(directory, 'offline.asc'), publicKey)
  await writeFile(join(directory, 'found.asc'), privateKey)
  const { report } = await buildReport({ ...options, history: [] })
  const problem = report.problems.find(({ check }) => check === 'keys')?.message
  expect(problem).toMatch(/PRIVATE/)
  expect(report.notes.filter((note) => note === problem)).toEqual([])
})

test('a history that cannot be read is told', async () => {
  const { report } = await buildReport({ ...options, history: undefined })
  expect(report.notes.join('\n')).toContain('what earlier reports have seen cannot be read')
})

test('several chains want a choice', async () => {
  for (const name of ['crm', 'shop']) {
    const label = join(directory, 'store', `20261122T020000Z-${name}`)
    await mkdir(label)
    await writeFile(join(label, 'manifest.json'), '{}')
  }
  await expect(buildReport({ ...options, history: [] })).rejects.toMatchObject({
    kind: 'usage',
    message: 'the store holds backups of crm, shop',
  })
  const { report } = await buildReport({ ...options, history: [], name: 'shop' })
  expect(report.problems.map(({ check }) => check)).toEqual(['backup', 'chain', 'keys'])
  expect(report.problems[1]?.message).toContain('20261122T020000Z-shop')
  expect(JSON.stringify(report)).not.toContain('Z-crm')
})

test('a key that cannot be read keeps no report from being made', async () => {
  const signer = [{ file: join(directory, 'gone.asc') }]
  const { operations, backup } = options
  const verify = { ...operations.verify, signer }
  const { report } = await buildReport({
    ...options,
    backup: { ...backup, signer },
    operations: { ...operations, verify },
    history: [],
  })
  expect(report.standing).toBe('bad')
  expect(report.reason).toMatch(
    /^nothing is known of the backups: cannot read key file .*gone\.asc/,
  )
  expect(report.keys.filter(({ problems }) => problems.length > 0).map(({ role }) => role)).toEqual(
    ['signer', 'verdict signer'],
  )
})

test('wrong rules are told and take the limits away only', async () => {
  const rules = join(directory, 'verification.yaml')
  await writeFile(rules, 'limits: { recoverySeconds: 60 }\n')
  const { operations } = options
  const events: Event[] = []
  const report = await runReport(
    {
      ...options,
      operations: { ...operations, verify: { ...operations.verify, rules } },
      formats: [],
      mail: false,
      ping: false,
      strict: false,
    },
    (event) => events.push(event),
    new AbortController().signal,
  )
  expect(report.recovery.limit).toBeNull()
  expect(events.map(({ event }) => event)).toEqual(['warning', 'daily-report'])
  expect(events[0]).toMatchObject({ code: 'no-limits' })
})
