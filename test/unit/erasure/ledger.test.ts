import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { anchorLedger } from '../../../src/erasure/anchor.ts'
import { erasureKey, hashKey, keyCheck } from '../../../src/erasure/hash.ts'
import {
  appendRecord,
  checkReaches,
  headOf,
  readLedger,
  type Ledger,
  type NewRecord,
} from '../../../src/erasure/ledger.ts'
import { rememberLedger } from '../../../src/erasure/memory.ts'
import { checkPart } from '../../../src/erasure/part.ts'
import type { ManifestTable } from '../../../src/backup/manifest.ts'
import { generateKey } from '../../../src/seal/generate.ts'
import { readPrivateKeys, type PrivateKeyFile } from '../../../src/seal/key-ring.ts'
import { readPublicKeys, type PublicKeyFile } from '../../../src/seal/keys.ts'
import type { StructurePlan } from '../../../src/sink/structure-plan.ts'
import { openStore } from '../../../src/store/open.ts'
import type { Store } from '../../../src/store/store.ts'

let place: string
let signing: PrivateKeyFile['key']
let signers: PublicKeyFile[]
let store: Store
let number = 0

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'pgveil-ledger-'))
  const pair = await generateKey({ name: 'host', use: 'sign' })
  const [file] = await readPrivateKeys('key', Buffer.from(pair.privateKey))
  signing = file!.key
  signers = await readPublicKeys('key', Buffer.from(pair.publicKey), { use: 'sign' })
})

afterAll(() => rmSync(place, { recursive: true, force: true }))

beforeEach(async () => {
  const path = mkdtempSync(join(place, `store-${++number}-`))
  store = await openStore({ kind: 'directory', path })
})

const key = erasureKey(Buffer.from('the secret of a ledger'))

function person(value: string): NewRecord {
  return {
    time: '2026-11-22T02:00:00.000Z',
    by: 'ő"name":"crm","check":@host',
    name: 'crm',
    check: keyCheck(key),
    schema: 'public',
    table: 'személy',
    column: 'név\\\n',
    references: { '*': 'null' },
    keys: [hashKey(key, value)],
  }
}

const add = (value: string) => appendRecord(store, signers, signing, () => person(value))

describe('the ledger', () => {
  test('what was put in comes out, a line of ASCII each', async () => {
    await add('one')
    const { ledger } = await add('two')
    expect(ledger.records.map((record) => record.number)).toEqual([1, 2])
    expect(ledger.records[1]).toMatchObject(person('two'))
    expect(ledger.records[1]?.previous).toBe(ledger.digests[0])
    const text = ledger.lines.toString('latin1')
    expect(text).toMatch(/^[\n -~]*$/)
    expect(text.split('\n')).toHaveLength(3)
    expect(text).toMatch(/^\{"format":"pgveil erasures 1","number":1,"previous":null,/)
    // restore.sh looks for this; no name of a user can make it look like it.
    expect(text.match(/"name":"crm","check":/g)).toHaveLength(2)
  })

  test('of many writers none loses a record', async () => {
    const values = Array.from({ length: 6 }, (_, i) => `person ${i}`)
    await Promise.all(values.map(add))
    const { records } = await readLedger(store, signers)
    expect(records.map(({ keys }) => keys[0]?.hash ?? '').toSorted()).toEqual(
      values.map((value) => hashKey(key, value).hash).toSorted(),
    )
  })

  test('one of somebody else is not believed', async () => {
    const pair = await generateKey({ name: 'other', use: 'sign' })
    const [other] = await readPrivateKeys('key', Buffer.from(pair.privateKey))
    await appendRecord(store, signers, other!.key, () => person('x')).catch(() => undefined)
    await expect(readLedger(store, signers)).rejects.toMatchObject({ kind: 'integrity' })
  })

  test('shows when it was cut off', async () => {
    await add('one')
    const { ledger } = await add('two')
    const short: Ledger = {
      records: ledger.records.slice(0, 1),
      digests: ledger.digests.slice(0, 1),
      lines: Buffer.alloc(0),
    }
    expect(() => checkReaches(ledger, headOf(short)!, 'a backup')).not.toThrow()
    expect(() => checkReaches(short, headOf(ledger)!, 'a backup')).toThrow(
      'erasures/2.json is missing, which a backup knows',
    )
    const forged = { ...ledger, digests: ['0'.repeat(64), ledger.digests[1]!] }
    expect(() => checkReaches(forged, headOf(short)!, 'a backup')).toThrow('a backup knows')
  })

  test('a machine remembers how far it went, and says nothing where it cannot', async () => {
    await add('one')
    const { ledger } = await add('two')
    const state = mkdtempSync(join(place, 'state-'))
    const none: Ledger = { records: [], digests: [], lines: Buffer.alloc(0) }
    await rememberLedger(state, 'store a', none)
    await rememberLedger(state, 'store a', ledger)
    await rememberLedger(state, 'store b', none)
    await expect(rememberLedger(state, 'store a', none)).rejects.toMatchObject({
      kind: 'integrity',
    })
    expect(readdirSync(join(state, 'erasures'))).toHaveLength(1)
    const file = join(place, 'a-file')
    writeFileSync(file, '')
    await rememberLedger(file, 'store a', ledger)
  })

  test('where it is damaged a backup is made yet, and knows what the one before knew', async () => {
    const { ledger } = await add('one')
    const head = headOf(ledger)!
    const warnings: string[] = []
    const warn = (code: string) => warnings.push(code)
    expect(await anchorLedger({ store, signers, before: undefined, warn })).toEqual(head)
    await store.delete(['erasures/1.json'])
    const before = { label: 'the one before', head }
    expect(await anchorLedger({ store, signers, before, warn })).toEqual(head)
    expect(warnings).toEqual(['erasure-ledger'])
  })
})

describe('parts of a backup', () => {
  const table = (name: string, root = name) =>
    ({
      schema: 'public',
      name,
      root: { schema: 'public', name: root },
    }) as ManifestTable
  const tables = [
    table('person_1', 'person'),
    table('person_2', 'person'),
    table('orders'),
    table('line'),
    table('product'),
  ]
  const plan = {
    statements: [
      ['orders', 'person'],
      ['line', 'orders'],
      ['line', 'product'],
      ['person', 'person'],
    ].map(([from = '', to = '']) => ({
      table: { schema: 'public', name: from },
      foreignKey: { refers: { schema: 'public', name: to } },
    })),
  } as unknown as StructurePlan
  const records = [{ ...person('x'), table: 'person' }] as Parameters<
    typeof checkPart
  >[0]['records']
  const check = (...names: string[]) =>
    checkPart(
      { records },
      { tables },
      tables.filter(({ name }) => names.includes(name)),
      plan,
    )

  test.each([
    [['product']],
    [['person_1']],
    [['person_1', 'person_2', 'orders']],
    [['person_1', 'person_2', 'orders', 'line']],
    [['person_1', 'person_2', 'orders', 'line', 'product']],
  ])('%j can stand alone', (names) => {
    check(...names)
  })

  test.each([
    [['orders'], 'public.person'],
    [['orders', 'person_1'], 'public.person'],
    [['line', 'person_1', 'person_2'], 'public.orders'],
    [['line'], 'public.orders, public.person'],
  ])('%j needs %s', (names, missing) => {
    expect(() => check(...names)).toThrow(`without ${missing}`)
  })
})
