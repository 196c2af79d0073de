import { expect, test } from '@jest/globals'
import type { Backup } from '../../../src/backup/backups.ts'
import { openSecret } from '../../../src/backup/unlock.ts'
import { Failure } from '../../../src/errors.ts'
import { openBytes } from '../../../src/seal/opener.ts'
import { sealBytes } from '../../../src/seal/sealer.ts'
import { halfDigest } from '../../../src/seal/secret.ts'
import type { Store } from '../../../src/store/store.ts'

/**
 * OpenPGP's own check of a passphrase has 16 bits, which one wrong passphrase in 65,536 passes; what comes out then looks
 * like damage. The manifest tells a wrong half from the right one before any object is read.
 */

const A = Buffer.from('A'.repeat(43))
const B = Buffer.from(`${'B'.repeat(42)}A`)
/** With this in the place of B, the 16 bits agree. */
const LUCKY = Buffer.from(`${'B'.repeat(38)}ACN1A`)
const SEALED = sealBytes(Buffer.concat([A, B]), Buffer.from('rows'), (bytes) =>
  Buffer.alloc(bytes, 7),
)

const store = new Proxy({} as Store, {
  get: (_, name) => {
    throw new Error(`the store was asked: ${String(name)}`)
  },
})

function backupOf(sides: Record<string, Buffer>): Backup {
  const listed = Object.entries(sides).map(([name, half]) => ({ name, half: halfDigest(half) }))
  const seal = { sides: listed, verifier: [] }
  return { label: '20261122T020000Z-crm', manifest: { seal } } as unknown as Backup
}

function kindOf(step: () => unknown): string | undefined {
  try {
    step()
    return undefined
  } catch (error) {
    return (error as Failure).kind
  }
}

test('the vector: the right passphrase opens, the lucky one is taken for damage, another for a key', () => {
  expect(openBytes(Buffer.concat([A, B]), SEALED).toString()).toBe('rows')
  expect(kindOf(() => openBytes(Buffer.concat([A, LUCKY]), SEALED))).toBe('integrity')
  expect(kindOf(() => openBytes(Buffer.concat([B, A]), SEALED))).toBe('key')
})

test.each<[string, Record<string, Buffer>, Record<string, Buffer>]>([
  ['of two sides', { operations: A, offline: B }, { operations: A, offline: LUCKY }],
  ['the halves of two sides swapped', { operations: A, offline: B }, { operations: B, offline: A }],
  ['of one side', { operations: Buffer.concat([A, B]) }, { operations: Buffer.concat([A, LUCKY]) }],
])('a wrong half is a matter of keys, with no object read: %s', async (_, sides, given) => {
  const halves = new Map(Object.entries(given))
  const opening = openSecret(store, backupOf(sides), { halves, openers: [] })
  await expect(opening).rejects.toMatchObject({ kind: 'key' })
  await expect(opening).rejects.toThrow(/stays closed: .*is not that of 20261122T020000Z-crm/)
})

test('the right halves open it, with no object read', async () => {
  const halves = new Map(Object.entries({ operations: A, offline: B }))
  const secret = await openSecret(store, backupOf({ operations: A, offline: B }), {
    halves,
    openers: [],
  })
  expect(secret).toEqual({ a: A, b: B })
})
