import { describe, expect, test } from '@jest/globals'
import { enums, type KeyOptions, readKey, revokeKey } from 'openpgp'
import { generateKey } from '../../../src/seal/generate.ts'
import { checkPinned, checkSidesDiffer, readPublicKeys } from '../../../src/seal/keys.ts'
import { failure, rejection } from './failures.ts'
import { DAY, daysFromNow, makeKey, readOne } from './made-keys.ts'

const first = await makeKey()
const second = await makeKey()
const both = Buffer.concat([first.publicText, Buffer.from('\nspare card\n'), second.publicText])

const fingerprint = (key: { getFingerprint(): string }): string =>
  key.getFingerprint().toUpperCase()

describe('a file of public keys', () => {
  test('shows what a key is', async () => {
    const file = await readOne(first.publicText)
    expect(file).toMatchObject({
      path: 'ops.asc',
      fingerprint: fingerprint(first.key),
      userIds: ['Ada <ada@example.org>'],
      algorithm: 'ed25519/cv25519',
      created: first.key.getCreationTime(),
      expires: undefined,
      canEncrypt: true,
      canSign: true,
      problems: [],
      warnings: [],
    })
    expect(file.fingerprint).toMatch(/^[0-9A-F]{40}$/)
    expect(file.key.isPrivate()).toBe(false)
  })

  test.each([
    ['several armored blocks with text between them', both],
    ['a byte order mark and DOS line ends', `\uFEFF${both.toString().replaceAll('\n', '\r\n')}`],
    [
      'binary packets',
      Buffer.concat([first.key.toPublic().write(), second.key.toPublic().write()]),
    ],
  ])('may be %s', async (_, text) => {
    const files = await readPublicKeys('ops.asc', Buffer.from(text), { use: 'encrypt' })
    expect(files.map((file) => file.fingerprint)).toEqual([
      fingerprint(first.key),
      fingerprint(second.key),
    ])
  })

  test.each([
    ['nothing', ''],
    ['text', 'hello'],
    ['half a key', first.publicText.subarray(0, 200)],
    ['a damaged key', first.publicText.toString().replace(/\n\n.{20}/, '\n\nAAAAAAAAAAAAAAAAAAAA')],
    ['a message', '-----BEGIN PGP MESSAGE-----\n\nAAAA\n-----END PGP MESSAGE-----\n'],
    ['random bytes', Buffer.from([0x99, 0x01, 0x0d, 4, 3, 2, 1])],
  ])('is refused where it holds %s', async (_, text) => {
    const failed = await rejection(readPublicKeys('ops.asc', Buffer.from(text), { use: 'encrypt' }))
    expect(failed.kind).toBe('key')
    expect(failed.message).toContain('ops.asc')
  })

  test.each([
    ['armored', first.privateText],
    ['binary', Buffer.from(first.key.write())],
    ['among public ones', Buffer.concat([second.publicText, first.privateText])],
    ['damaged', first.privateText.toString().replace(/\n\n.{20}/, '\n\nAAAAAAAAAAAAAAAAAAAA')],
  ])('is refused loudly where a key is private: %s', async (_, text) => {
    const failed = await rejection(readPublicKeys('ops.asc', Buffer.from(text), { use: 'encrypt' }))
    expect(failed.kind).toBe('key')
    expect(failed.message).toContain('ops.asc HOLDS A PRIVATE KEY')
    expect(failed.hint).toContain('public keys only')
  })
})

describe('names of algorithms', () => {
  test.each<[string, Partial<KeyOptions>]>([
    ['nistP256', { type: 'ecc', curve: 'nistP256' }],
    ['RSA 2048', { type: 'rsa', rsaBits: 2048 }],
  ])('%s', async (name, options) => {
    const file = await readOne((await makeKey(options)).publicText)
    expect(file.algorithm).toBe(name)
    expect(file.problems).toEqual([])
  })
})

describe('problems', () => {
  test('an expired key, and when it did', async () => {
    const { publicText } = await makeKey({ date: daysFromNow(-10), keyExpirationTime: 86400 })
    const file = await readOne(publicText)
    expect(file.problems[0]).toBe(`expired on ${daysFromNow(-9).toISOString().slice(0, 10)}`)
    expect(file.canEncrypt).toBe(false)
    expect(Math.abs(file.expires!.getTime() - daysFromNow(-9).getTime())).toBeLessThan(60_000)
    const then = await readOne(publicText, 'encrypt', daysFromNow(-9.5))
    expect(then.problems).toEqual([])
  })

  test('an expired subkey under a primary key that goes on', async () => {
    const { publicText } = await makeKey({
      date: daysFromNow(-10),
      subkeys: [{ keyExpirationTime: 5 * 86400, date: daysFromNow(-10) }],
    })
    const file = await readOne(publicText)
    const day = daysFromNow(-5).toISOString().slice(0, 10)
    expect(file.problems).toEqual([`its subkey to encrypt with expired on ${day}`])
    expect(file.expires!.toISOString().slice(0, 10)).toBe(day)
    expect((await readOne(publicText, 'sign')).problems).toEqual([])
  })

  test.each([enums.reasonForRevocation.keyCompromised, enums.reasonForRevocation.keyRetired])(
    'a revoked key, whatever the reason: %d',
    async (flag) => {
      const { key } = await makeKey()
      const { publicKey } = await revokeKey({
        key,
        reasonForRevocation: { flag },
        format: 'object',
      })
      const file = await readOne(Buffer.from(publicKey.armor()))
      expect(file.problems).toEqual(['is revoked'])
      expect(file).toMatchObject({ canEncrypt: false, canSign: false })
    },
  )

  test('a revoked subkey', async () => {
    const { key } = await makeKey()
    const subkey = key.subkeys[0]!
    const revoked = await subkey.revoke(key.keyPacket as never, {})
    key.subkeys[0] = revoked
    const file = await readOne(Buffer.from(key.toPublic().armor()))
    expect(file.problems).toEqual(['its subkey to encrypt with is revoked'])
  })

  test('a key without the part that is needed', async () => {
    const { publicText } = await makeKey({ subkeys: [] })
    expect((await readOne(publicText, 'encrypt')).problems).toEqual(['is not meant for encryption'])
    expect((await readOne(publicText, 'sign')).problems).toEqual([])
  })

  test('a short RSA key', async () => {
    const { publicText } = await makeKey({ type: 'rsa', rsaBits: 1024 })
    for (const use of ['encrypt', 'sign'] as const)
      expect((await readOne(publicText, use)).problems).toEqual(['RSA 1024 is too weak'])
  })

  test('a short RSA subkey under a good primary key', async () => {
    const { publicText } = await makeKey({
      subkeys: [{ type: 'rsa', rsaBits: 1024 }],
    })
    expect((await readOne(publicText)).problems).toEqual(['RSA 1024 is too weak'])
  })

  test.each<[string, Partial<KeyOptions>, string]>([
    ['newer types', { type: 'curve25519' }, 'gpg 2.2 cannot use keys of type ed25519'],
    ['version 6', { config: { v6Keys: true } }, 'is of version 6: gpg 2.2 can use version 4 only'],
  ])('what gpg 2.2 cannot use: %s', async (_, options, problem) => {
    const { publicText } = await makeKey(options)
    expect((await readOne(publicText)).problems).toContain(problem)
  })

  test('a key from the future', async () => {
    const { publicText } = await makeKey({ date: daysFromNow(2) })
    const [problem] = (await readOne(publicText)).problems.filter((text) => /future/.test(text))
    expect(problem).toContain('check the clock')
  })

  test('a key whose signature on itself was changed', async () => {
    const key = await readKey({ armoredKey: first.publicText.toString() })
    const packets = key.toPacketList()
    const signature = packets.findPacket(enums.packet.signature) as { signatureData?: Uint8Array }
    expect(signature).toBeDefined()
    const bytes = Buffer.from(key.write())
    const name = bytes.indexOf('ada@example.org')
    bytes.write('eve', name, 'latin1')
    const file = await readOne(bytes)
    expect(file.problems).toContain('has no valid signature of its own')
    expect(file.canEncrypt).toBe(false)
  })
})

describe('warnings', () => {
  test('from 30 days before the end, or as asked', async () => {
    const { publicKey } = await generateKey({
      name: 'Ada',
      use: 'encrypt',
      expires: daysFromNow(20.5),
    })
    const text = Buffer.from(publicKey)
    const day = daysFromNow(20.5).toISOString().slice(0, 10)
    const file = await readOne(text)
    expect(file.problems).toEqual([])
    expect(file.warnings).toEqual([`expires on ${day}, in 20 days`])
    expect((await readOne(text, 'encrypt', daysFromNow(-10))).warnings).toEqual([])
    const [asked] = await readPublicKeys('ops.asc', text, { use: 'encrypt', warnDays: 7 })
    expect(asked!.warnings).toEqual([])
    expect(asked!.expires!.getTime() % DAY).toBe(file.expires!.getTime() % DAY)
  })

  test('of RSA below 3072 bits', async () => {
    const { publicText } = await makeKey({ type: 'rsa', rsaBits: 2048 })
    expect((await readOne(publicText)).warnings).toEqual([
      'RSA 2048 is shorter than the 3072 bits that are advised today',
    ])
  })
})

describe('pinned fingerprints', () => {
  test('fit whatever their spaces and case', async () => {
    const keys = await readPublicKeys('ops.asc', both, { use: 'encrypt' })
    const spaced = keys[1]!.fingerprint.toLowerCase().replaceAll(/(.{4})/g, '$1 ')
    expect(() => checkPinned(keys, [spaced, keys[0]!.fingerprint])).not.toThrow()
  })

  test('name a planted key, a missing one, and what is no fingerprint', async () => {
    const keys = await readPublicKeys('ops.asc', both, { use: 'encrypt' })
    const [one, two] = keys.map((key) => key.fingerprint)
    const planted = failure(() => checkPinned(keys, [one!]))
    expect(planted).toMatchObject({ kind: 'key' })
    expect(planted.message).toContain(two!)
    expect(planted.message).toContain('ops.asc')
    const missing = failure(() => checkPinned([keys[0]!], [one!, two!]))
    expect(missing.message).toContain(two!)
    for (const short of [one!.slice(-16), '', `${one}00`])
      expect(failure(() => checkPinned(keys, [one!, two!, short])).message).toContain(
        'is not a fingerprint',
      )
  })
})

describe('sides', () => {
  test('have keys of their own', async () => {
    const a = [await readOne(first.publicText)]
    const b = [await readOne(second.publicText)]
    expect(() => checkSidesDiffer({ operations: a, safe: b })).not.toThrow()
    expect(() => checkSidesDiffer({ operations: [...a, ...a], safe: b })).not.toThrow()
    const shared = failure(() => checkSidesDiffer({ operations: a, safe: [...b, ...a] }))
    expect(shared.kind).toBe('key')
    expect(shared.message).toContain(a[0]!.fingerprint)
    expect(shared.message).toContain('operations and safe')
  })
})
