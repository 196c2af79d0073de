import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { manifestDigest } from '../../../src/backup/manifest.ts'
import { generateKey } from '../../../src/seal/generate.ts'
import { readPrivateKeys } from '../../../src/seal/key-ring.ts'
import { readPublicKeys, type PublicKeyFile } from '../../../src/seal/keys.ts'
import { signDetached } from '../../../src/seal/signature.ts'
import { openStore } from '../../../src/store/open.ts'
import type { Store } from '../../../src/store/store.ts'
import { scanStore } from '../../../src/backup/backups.ts'
import {
  verdictName,
  writeVerdict,
  VERDICT_FORMAT,
  type Verdict,
} from '../../../src/verify/verdict.ts'
import { lastProven, lastVerdict, readVerdicts } from '../../../src/verify/verdicts.ts'

const MANIFEST = Buffer.from('a manifest')
const DIGEST = manifestDigest(MANIFEST)

let directory: string
let store: Store
let signers: PublicKeyFile[]
let signing: Awaited<ReturnType<typeof readPrivateKeys>>[number]['key']
let other: typeof signing

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pgveil-verdicts-'))
  store = await openStore({ kind: 'directory', path: directory } as Parameters<typeof openStore>[0])
  const pair = await generateKey({ name: 'verdicts', use: 'sign' })
  signers = await readPublicKeys('key', Buffer.from(pair.publicKey), { use: 'sign' })
  signing = (await readPrivateKeys('key', Buffer.from(pair.privateKey)))[0]!.key
  const stranger = await generateKey({ name: 'stranger', use: 'sign' })
  other = (await readPrivateKeys('key', Buffer.from(stranger.privateKey)))[0]!.key
})

afterAll(async () => {
  await store.close()
  rmSync(directory, { recursive: true })
})

function verdict(
  label: string,
  finished: string,
  outcome: Verdict['outcome'],
  manifest = DIGEST,
): Verdict {
  return {
    format: VERDICT_FORMAT,
    tool: 'pgveil test',
    label,
    manifest,
    outcome,
    started: finished,
    finished,
    host: 'here',
    server: null,
    steps: [],
    recoverySeconds: null,
    intervalSeconds: null,
    rows: 0,
    tables: 0,
    stored: 0,
    content: 0,
    envelopeDestroyed: false,
  }
}

async function put(label: string, said: Verdict, key = signing): Promise<void> {
  const bytes = writeVerdict(said)
  const name = `${label}/${verdictName(said)}`
  await store.create(`${label}/manifest.json`, MANIFEST)
  await store.create(name, bytes)
  await store.create(`${name}.asc`, await signDetached(bytes, key))
}

async function read(label: string) {
  const files = (await scanStore(store)).get(label) ?? new Map<string, number>()
  return readVerdicts(store, { label, digest: DIGEST, files }, signers)
}

test('the last verdict counts', async () => {
  const label = '20261120T020000Z-crm'
  await put(label, verdict(label, '2026-11-20T04:00:00.000Z', 'fail'))
  await put(label, verdict(label, '2026-11-20T05:00:00.000Z', 'pass'))
  const found = await read(label)
  expect(found.problems).toEqual([])
  expect(found.verdicts).toHaveLength(2)
  expect(lastVerdict(found)?.outcome).toBe('pass')
})

test('one that could not find out takes nothing back of what another did', async () => {
  const said = (...outcomes: Verdict['outcome'][]) =>
    lastVerdict({
      verdicts: outcomes.map((outcome, i) => verdict('a', `2026-11-20T0${i}:00:00.000Z`, outcome)),
      problems: [],
    })?.outcome
  expect(said('pass', 'incomplete')).toBe('pass')
  expect(said('fail', 'incomplete', 'incomplete')).toBe('fail')
  expect(said('incomplete', 'pass')).toBe('pass')
  expect(said('pass', 'fail')).toBe('fail')
  expect(said('incomplete', 'incomplete')).toBe('incomplete')
})

test('of somebody else, of another backup, of another manifest, none counts, and each is named', async () => {
  const label = '20261121T020000Z-crm'
  await put(label, verdict(label, '2026-11-21T03:00:00.000Z', 'pass'), other)
  await put(label, verdict('20261120T020000Z-crm', '2026-11-21T04:00:00.000Z', 'pass'))
  await put(label, verdict(label, '2026-11-21T05:00:00.000Z', 'pass', 'f'.repeat(64)))
  await store.create(`${label}/verdicts/20261121T060000Z.json`, Buffer.from('{}'))
  const found = await read(label)
  expect(found.verdicts).toEqual([])
  expect(found.problems).toEqual([
    expect.stringMatching(
      /20261121T030000Z\.json does not count: the signature is by an unknown key/,
    ),
    expect.stringMatching(/20261121T040000Z\.json does not count: .* belongs to another backup/),
    expect.stringMatching(/20261121T050000Z\.json does not count: .* belongs to another backup/),
    expect.stringMatching(/20261121T060000Z\.json does not count: .*\.asc is missing/),
  ])
  expect(lastVerdict(found)).toBeUndefined()
})

test('the last proven backup is older than this one, of its chain, and its last verdict a pass', async () => {
  const labels = await scanStore(store)
  const ask = (chain: string, before: string) =>
    lastProven(store, labels, { chain, before }, signers)
  expect((await ask('crm', '20261122T020000Z-crm'))?.label).toBe('20261120T020000Z-crm')
  expect(await ask('crm', '20261120T020000Z-crm')).toBeUndefined()
  expect(await ask('shop', '20261122T020000Z-shop')).toBeUndefined()
})
