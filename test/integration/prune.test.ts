import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { chainProblems, openBackups, scanStore } from '../../src/backup/backups.ts'
import { chainOf, findPrevious } from '../../src/backup/chain.ts'
import { writeEnvelopes } from '../../src/backup/envelopes.ts'
import type { SealingKeys } from '../../src/backup/keys.ts'
import { listBackups } from '../../src/backup/list.ts'
import { FORMAT, writeManifest, type Manifest } from '../../src/backup/manifest.ts'
import type { StoreSettings } from '../../src/config/store.ts'
import { storeSettings } from '../../src/config/store.ts'
import { Failure } from '../../src/errors.ts'
import type { BackupsEvent, Event, PruneEvent } from '../../src/report/events.ts'
import { pruneBackups } from '../../src/retention/prune.ts'
import { readPrivateKeys } from '../../src/seal/key-ring.ts'
import { readPublicKeys } from '../../src/seal/keys.ts'
import { signDetached } from '../../src/seal/signature.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import {
  VERDICT_FORMAT,
  verdictName,
  writeVerdict,
  type Verdict,
} from '../../src/verify/verdict.ts'
import { makeKeys, type TrialKeys } from '../fixtures/backups.ts'
import { startS3, type StandIn } from '../fixtures/s3-stand-in.mjs'

// Retention removes what the policy does not want, in every kind of store, and nothing else; whatever interrupts it,
// and whoever removes something beside it, `list` tells the truth.

const DAY = 24 * 60 * 60 * 1000
const NOW = Date.parse('2026-11-22T12:00:00Z')

let place: string
let keys: TrialKeys
let s3: StandIn
let stores = 0

beforeAll(async () => {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true'
  place = mkdtempSync(join(tmpdir(), 'pgveil-prune-'))
  keys = await makeKeys(join(place, 'keys'))
  s3 = await startS3({ buckets: { plain: {}, locked: { lock: true, versioning: true } } })
  process.env['AWS_ACCESS_KEY_ID'] = s3.accessKeyId
  process.env['AWS_SECRET_ACCESS_KEY'] = s3.secretAccessKey
})

afterAll(async () => {
  await s3.close()
  rmSync(place, { recursive: true, force: true })
})

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

async function signer() {
  const [file] = await readPrivateKeys('signer', readFileSync(keys.signer.privateKey))
  return file!.key
}

interface Made {
  label: string
  sha256: string
  sequence: number
}

/** A backup as far as anybody without keys can tell it from a real one. */
async function put(
  store: Store,
  time: number,
  previous: Made | undefined,
  { proven = false, lock = true } = {},
): Promise<Made> {
  const iso = new Date(time).toISOString().replace('.000', '')
  const label = `${iso.replace(/[-:]/g, '')}-crm`
  const sequence = (previous?.sequence ?? 0) + 1
  const key = await signer()
  const rows = Buffer.from(`rows of ${label}`)
  const envelope = Buffer.from(`an envelope of ${label}`)
  const fingerprint = keys.operations.fingerprint
  const manifest: Manifest = {
    format: FORMAT,
    tool: 'pgveil test',
    label,
    name: 'crm',
    sequence,
    previous: previous ? { label: previous.label, sha256: previous.sha256 } : null,
    started: iso,
    source: {
      systemIdentifier: null,
      database: 'crm',
      version: '18.0',
      versionNumber: 180000,
      encoding: 'UTF8',
      collate: 'C',
      ctype: 'C',
      localeProvider: 'c',
      locale: null,
      icuRules: null,
      lcMonetary: null,
      extensions: {},
      roles: [],
      snapshot: 'x',
      lsn: '0/0',
      time: iso,
    },
    seal: {
      sides: [{ name: 'operations', half: sha256(envelope), recipients: [fingerprint] }],
      verifier: [],
    },
    structure: { major: 18, digest: sha256(rows), counts: {} },
    tables: [],
    sequences: [],
    views: [],
    largeObjects: { count: 0, bytes: 0 },
    warnings: [],
    objects: [{ name: 'tables/1.1.0.pgp', size: rows.length, sha256: sha256(rows), content: 1 }],
  }
  const bytes = writeManifest(manifest)
  const list = writeEnvelopes({
    format: 'pgveil envelopes 1',
    label,
    manifest: sha256(bytes),
    generation: 1,
    envelopes: [
      {
        side: 'operations',
        number: 1,
        recipients: [fingerprint],
        size: envelope.length,
        sha256: sha256(envelope),
      },
    ],
  })
  const create = (name: string, content: Uint8Array) =>
    store.create(`${label}/${name}`, content, { lock })
  await create('envelopes/operations.asc', envelope)
  await create('tables/1.1.0.pgp', rows)
  await create('envelopes.json', list)
  await create('envelopes.json.asc', await signDetached(list, key))
  await create('manifest.json.asc', await signDetached(bytes, key))
  await create('manifest.json', bytes)
  if (proven) {
    const verdict: Verdict = {
      format: VERDICT_FORMAT,
      tool: 'pgveil test',
      label,
      manifest: sha256(bytes),
      outcome: 'pass',
      started: iso,
      finished: iso,
      host: 'here',
      server: null,
      steps: [],
      recoverySeconds: null,
      intervalSeconds: null,
      rows: 0,
      tables: 0,
      stored: 0,
      content: 0,
      envelopeDestroyed: true,
    }
    const said = writeVerdict(verdict)
    await create(verdictName(verdict), said)
    await create(`${verdictName(verdict)}.asc`, await signDetached(said, key))
  }
  return { label, sha256: sha256(bytes), sequence }
}

/** One a day, the oldest first. */
async function putNights(store: Store, nights: number, proven: number[] = []): Promise<Made[]> {
  const made: Made[] = []
  for (let i = 0; i < nights; i++) {
    const time = NOW - (nights - i) * DAY + DAY / 24
    made.push(await put(store, time, made.at(-1), { proven: proven.includes(i) }))
  }
  return made
}

function directory(): StoreSettings {
  return { kind: 'directory', path: join(place, `store-${++stores}`) } as StoreSettings
}

function bucket(name: string, rest: object = {}): StoreSettings {
  const raw = {
    s3: {
      bucket: name,
      prefix: `prefix-${++stores}`,
      region: s3.region,
      endpoint: s3.endpoint,
      pathStyle: true,
      allowedRegions: [s3.region],
      ...rest,
    },
  }
  return storeSettings(raw as never, place)
}

async function opened<T>(settings: StoreSettings, work: (store: Store) => Promise<T>): Promise<T> {
  if (settings.kind === 'directory') await mkdir(settings.path, { recursive: true })
  const store = await openStore(settings)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

const NOTHING = { days: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, graceHours: 48 }

interface Pruned {
  event: PruneEvent | undefined
  failure: Failure | undefined
  warnings: string[]
  outcomes: Record<string, string>
}

async function runPrune(
  store: StoreSettings,
  retention: Partial<typeof NOTHING> = {},
  { dryRun = false, at = NOW, believesVerdicts = true } = {},
): Promise<Pruned> {
  const events: Event[] = []
  const references = [{ file: keys.signer.publicKey }]
  let failure: Failure | undefined
  const options = {
    store,
    backup: {
      sides: [],
      verifier: [],
      signer: references,
      signingKey: keys.signer.privateKey,
      level: 1,
    },
    retention: { ...NOTHING, ...retention },
    verify: { signer: believesVerdicts ? references : [] },
    env: process.env,
    dryRun,
    at,
  }
  try {
    await pruneBackups(options, (event) => events.push(event), new AbortController().signal)
  } catch (error) {
    failure = error as Failure
  }
  const event = events.find((each) => each.event === 'prune')
  return {
    event,
    failure,
    warnings: events.flatMap((each) => (each.event === 'warning' ? [each.code] : [])),
    outcomes: Object.fromEntries(
      (event?.backups ?? []).map(({ label, outcome }) => [label, outcome]),
    ),
  }
}

/** What is wrong, by `list`, and what it shows. */
async function runList(
  store: StoreSettings,
): Promise<{ labels: string[]; problems: string[]; unfinished: string[] }> {
  let found: BackupsEvent | undefined
  const signers = await readPublicKeys('signer', readFileSync(keys.signer.publicKey), {
    use: 'sign',
  })
  const emit = (event: Event) => {
    if (event.event === 'backups') found = event
  }
  await listBackups(
    { store, signers, verdictSigners: signers, deep: true, at: NOW } as Parameters<
      typeof listBackups
    >[0],
    emit,
    new AbortController().signal,
  ).catch(() => undefined)
  return {
    labels: found?.backups.map(({ label }) => label) ?? [],
    problems: found?.backups.flatMap(({ problems }) => problems) ?? [],
    unfinished: found?.unfinished.map(({ label }) => label) ?? [],
  }
}

const names = async (store: Store) => {
  const found: string[] = []
  for await (const { name } of store.list('')) found.push(name)
  return found
}

test('the next backup follows the last, though clocks were ahead when others were made', async () => {
  await opened(directory(), async (store) => {
    const signers = await readPublicKeys('signer', readFileSync(keys.signer.publicKey), {
      use: 'sign',
    })
    const made = [await put(store, NOW - DAY, undefined)]
    for (const day of [5, 6, 7]) made.push(await put(store, NOW + day * DAY, made.at(-1)))
    // The clock is right again: these are older than what they follow.
    for (const hour of [0, 1, 2]) {
      const time = NOW + (hour * DAY) / 24
      const label = `${new Date(time).toISOString().replace(/[-:]|\.000/g, '')}-crm`
      const chain = chainOf(await scanStore(store), 'crm')
      const known = { keys: { signers } as SealingKeys, name: 'crm', label }
      const previous = await findPrevious(store, chain, known)
      expect(previous?.label).toBe(made.at(-1)!.label)
      made.push(await put(store, time, made.at(-1)))
    }
    const { backups } = await openBackups(store, await scanStore(store), signers)
    expect(chainProblems(backups)).toEqual([])
  })
})

test('what others remove while a store is looked at is not damaged', async () => {
  await opened(directory(), async (store) => {
    const signers = await readPublicKeys('signer', readFileSync(keys.signer.publicKey), {
      use: 'sign',
    })
    const [gone, stays] = await putNights(store, 2)
    const seen = await scanStore(store)
    const before = new Map(seen).set(
      stays!.label,
      new Map(seen.get(stays!.label)).set('envelopes/verifier.asc', 10),
    )
    await store.delete((await names(store)).filter((name) => name.startsWith(gone!.label)))
    const { backups, damaged } = await openBackups(store, before, signers)
    expect([...damaged.keys()]).toEqual([])
    expect(backups.map(({ label }) => label)).toEqual([stays!.label])
    await store.delete([`${stays!.label}/tables/1.1.0.pgp`])
    const now = await openBackups(store, await scanStore(store), signers)
    expect(now.damaged.get(stays!.label)?.message).toMatch('tables/1.1.0.pgp is missing')
  })
})

describe.each([
  ['a directory', () => directory()],
  ['S3', () => bucket('plain')],
])('%s', (_, settings) => {
  test('keeps what the policy wants and the last proven; the chain stays whole', async () => {
    const at = settings()
    const made = await opened(at, (store) => putNights(store, 12, [1, 3]))
    const before = await opened(at, names)
    const dry = await runPrune(at, { days: 3 }, { dryRun: true })
    expect(await opened(at, names)).toEqual(before)
    const done = await runPrune(at, { days: 3 })
    expect([dry.failure, done.failure]).toEqual([undefined, undefined])
    const kept = [3, 9, 10, 11].map((i) => made[i]!.label)
    made.forEach(({ label }, i) => {
      const stays = [3, 9, 10, 11].includes(i)
      expect([i, dry.outcomes[label]]).toEqual([i, stays ? 'kept' : 'would-remove'])
      expect([i, done.outcomes[label]]).toEqual([i, stays ? 'kept' : 'removed'])
    })
    expect(await runList(at)).toEqual({ labels: kept, problems: [], unfinished: [] })
    // The next night, and once more.
    await opened(at, (store) => put(store, NOW + DAY, made[11]))
    const next = await runPrune(at, { days: 3 }, { at: NOW + 1.5 * DAY })
    expect(Object.values(next.outcomes).filter((each) => each === 'removed')).toHaveLength(2)
    expect((await runList(at)).problems).toEqual([])
    const left = await opened(at, names)
    expect(left.filter((name) => name.startsWith('pruned/'))).toHaveLength(2)
  })

  test('removes nothing where there are verdicts and none is believed', async () => {
    const at = settings()
    await opened(at, (store) => putNights(store, 3, [1]))
    const before = await opened(at, names)
    const { failure, warnings } = await runPrune(at, {}, { believesVerdicts: false })
    expect(failure).toMatchObject({ kind: 'refused', hint: expect.stringMatching('verify.signer') })
    expect(warnings).toEqual(['verdict-not-believed'])
    expect(await opened(at, names)).toEqual(before)
  })

  test('nobody can hide a deletion behind it', async () => {
    const at = settings()
    const made = await opened(at, (store) => putNights(store, 8))
    await runPrune(at, { daily: 4 })
    expect((await runList(at)).problems).toEqual([])
    const fifth = made[4]!.label
    await opened(at, async (store) => {
      await store.delete((await names(store)).filter((name) => name.startsWith(made[5]!.label)))
    })
    expect((await runList(at)).problems).toEqual([
      expect.stringContaining(`follows ${made[5]!.label}, which is missing`),
    ])
    // What lies after a gap that nobody explains is left for a person to look at.
    const again = await runPrune(at, {})
    expect(again.warnings).toContain('damaged-backup')
    expect(again.outcomes[made[6]!.label]).toBe('kept')
    expect(again.outcomes[fifth]).toBe('removed')
    expect((await runList(at)).problems).toHaveLength(1)
  })

  test('its list counts only as it was signed', async () => {
    const at = settings()
    await opened(at, (store) => putNights(store, 6))
    await runPrune(at, { daily: 2 })
    await opened(at, async (store) => {
      const [list = ''] = (await names(store)).filter((name) => /^pruned\/.*json$/.test(name))
      const chunks: Buffer[] = []
      for await (const chunk of store.read(list)) chunks.push(chunk)
      const text = Buffer.concat(chunks).toString().replace('"sequence": 3', '"sequence": 30')
      await store.delete([list])
      await store.create(list, Buffer.from(text))
    })
    const { problems } = await runList(at)
    expect(problems).toEqual([expect.stringContaining('which is missing')])
    const { warnings } = await runPrune(at, { daily: 2 })
    expect(warnings).toContain('pruned-list')
  })

  test('what a run that died has left goes after the hours of grace, what is under way does not', async () => {
    const at = settings()
    const made = await opened(at, (store) => putNights(store, 2))
    const died = '20261101T020000Z-crm'
    await opened(at, async (store) => {
      await store.create(`${died}/envelopes/operations.asc`, Buffer.from('x'))
      await store.create(`${died}/tables/1.1.0.pgp`, Buffer.from('xx'))
      await store.create('erasures/1.json', Buffer.from('none of its business'))
    })
    const now = Date.now()
    const young = await runPrune(at, { days: 30, graceHours: 1 }, { at: now })
    expect(young.event?.leftovers).toEqual([
      expect.objectContaining({ label: died, objects: 2, bytes: 3, outcome: 'kept' }),
    ])
    const old = await runPrune(at, { days: 30, graceHours: 1 }, { at: now + 2 * 60 * 60 * 1000 })
    expect(old.event?.leftovers[0]?.outcome).toBe('removed')
    const left = await opened(at, names)
    expect(left.filter((name) => name.startsWith(died))).toEqual([])
    expect(left).toContain('erasures/1.json')
    expect(left.some((name) => name.startsWith(made[0]!.label))).toBe(true)
  })

  test('a damaged backup is never removed, and said', async () => {
    const at = settings()
    const made = await opened(at, (store) => putNights(store, 5))
    await opened(at, (store) => store.delete([`${made[1]!.label}/tables/1.1.0.pgp`]))
    const { event, warnings, outcomes } = await runPrune(at, {})
    expect(warnings).toContain('damaged-backup')
    expect(outcomes[made[1]!.label]).toBe('kept')
    expect(event?.backups.find(({ label }) => label === made[1]!.label)?.reasons[0]).toContain(
      'is missing',
    )
    expect(outcomes[made[0]!.label]).toBe('removed')
  })
})

test('a run that dies at any deletion leaves no half of a backup that counts', async () => {
  const at = bucket('plain')
  await opened(at, (store) => putNights(store, 4))
  for (let fatal = 1; ; fatal++) {
    let deletions = 0
    s3.onRequest = ({ operation }) =>
      operation === 'DeleteObjects' && ++deletions >= fatal
        ? { status: 403, code: 'AccessDenied' }
        : undefined
    const { failure } = await runPrune(at, { daily: 2 })
    s3.onRequest = () => undefined
    const list = await runList(at)
    expect([fatal, list.problems]).toEqual([fatal, []])
    if (!failure) break
    expect(fatal).toBeLessThan(20)
  }
  const end = await runPrune(at, { daily: 2 }, { at: Date.now() + 49 * 60 * 60 * 1000 })
  expect(end.failure).toBeUndefined()
  expect(await runList(at)).toMatchObject({ problems: [], unfinished: [] })
})

describe('Object Lock', () => {
  const locked = () => bucket('locked', { lock: { mode: 'compliance', days: 30 } })

  test('what it keeps is kept, and the reason is said', async () => {
    const at = locked()
    const made = await opened(at, (store) => putNights(store, 3))
    const { event, failure, outcomes } = await runPrune(at, {})
    expect(failure).toBeUndefined()
    expect(new Set(Object.values(outcomes))).toEqual(new Set(['kept']))
    expect(event?.backups[0]?.reasons[0]).toMatch(/^locked until /)
    for (const versions of s3.buckets.get('locked')?.objects.values() ?? []) {
      for (const version of versions)
        if (version.lock) version.lock = { ...version.lock, until: new Date(NOW - DAY) }
    }
    const later = await runPrune(at, {})
    expect(later.outcomes[made[0]!.label]).toBe('removed')
    expect((await runList(at)).labels).toEqual([made[2]!.label])
  })

  test('a refusal that could not be foreseen: 16 where nothing else went', async () => {
    const at = locked()
    const made = await opened(at, (store) => putNights(store, 2))
    // Our clock says that the lock is over, the store's does not.
    const { failure, outcomes } = await runPrune(at, {}, { at: Date.now() + 31 * DAY })
    expect(failure).toMatchObject({ kind: 'refused', exitCode: 16 })
    expect(outcomes[made[0]!.label]).toBe('refused')
    expect(await runList(at)).toMatchObject({
      labels: made.map(({ label }) => label),
      problems: [],
    })
  })
})

test('temporary files of uploads that never ended', async () => {
  const at = directory() as StoreSettings & { path: string }
  await opened(at, (store) => putNights(store, 1))
  const file = join(at.path, '.pgveil-0123456789abcdef.part')
  writeFileSync(file, 'half an object')
  const old = new Date(NOW - 3 * DAY)
  utimesSync(file, old, old)
  const dry = await runPrune(at, {}, { dryRun: true })
  expect(dry.event?.stranded).toHaveLength(1)
  expect(existsSync(file)).toBe(true)
  const { event } = await runPrune(at, {})
  expect(event?.stranded).toHaveLength(1)
  expect(existsSync(file)).toBe(false)
  expect(readdirSync(dirname(file)).length).toBeGreaterThan(0)
})
