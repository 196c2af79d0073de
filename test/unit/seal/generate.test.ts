import { describe, expect, test } from '@jest/globals'
import { readPrivateKey } from 'openpgp'
import { generateKey } from '../../../src/seal/generate.ts'
import { rejection } from './failures.ts'
import { daysFromNow, readOne } from './made-keys.ts'

describe('a generated key', () => {
  test('for encryption', async () => {
    const expires = daysFromNow(365)
    const made = await generateKey({
      name: 'Szabó Ödön',
      email: 'odon@example.org',
      use: 'encrypt',
      expires,
    })
    const file = await readOne(Buffer.from(made.publicKey))
    expect(file).toMatchObject({
      fingerprint: made.fingerprint,
      userIds: ['Szabó Ödön <odon@example.org>'],
      algorithm: 'ed25519/cv25519',
      canEncrypt: true,
      problems: [],
      warnings: [],
    })
    expect(Math.abs(file.expires!.getTime() - expires.getTime())).toBeLessThan(2000)
  })

  test('for signing cannot be encrypted to', async () => {
    const made = await generateKey({ name: 'backup host', use: 'sign' })
    const text = Buffer.from(made.publicKey)
    expect(await readOne(text, 'sign')).toMatchObject({
      algorithm: 'ed25519',
      canEncrypt: false,
      canSign: true,
      problems: [],
      expires: undefined,
    })
    expect((await readOne(text, 'encrypt')).problems).toEqual(['is not meant for encryption'])
  })

  test('is locked where there is a passphrase', async () => {
    const locked = await generateKey({ name: 'A', use: 'sign', passphrase: Buffer.from('x y') })
    const open = await generateKey({ name: 'A', use: 'sign', passphrase: Buffer.alloc(0) })
    expect((await readPrivateKey({ armoredKey: locked.privateKey })).isDecrypted()).toBe(false)
    expect((await readPrivateKey({ armoredKey: open.privateKey })).isDecrypted()).toBe(true)
  })

  test.each([
    ['an empty name', { name: ' ' }],
    ['a name with an address in it', { name: 'Ada <eve@example.org>' }],
    ['a name of two lines', { name: 'Ada\nEve' }],
    ['no address', { name: 'Ada', email: 'ada' }],
    ['an address with a space', { name: 'Ada', email: 'ada @example.org' }],
    ['an end in the past', { name: 'Ada', expires: daysFromNow(-1) }],
    ['an end too far away', { name: 'Ada', expires: daysFromNow(140 * 366) }],
    ['an end that is no time', { name: 'Ada', expires: new Date(NaN) }],
  ])('is refused: %s', async (_, options) => {
    expect((await rejection(generateKey({ use: 'sign', ...options }))).kind).toBe('usage')
  })
})
