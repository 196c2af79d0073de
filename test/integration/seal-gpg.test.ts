import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { openEnvelope, sealEnvelope } from '../../src/seal/envelope.ts'
import { generateKey } from '../../src/seal/generate.ts'
import { GpgOpener } from '../../src/seal/gpg-opener.ts'
import { KeyRing, readPrivateKeys, unlockKey } from '../../src/seal/key-ring.ts'
import { type PublicKeyFile, readPublicKeys } from '../../src/seal/keys.ts'
import { openBytes } from '../../src/seal/opener.ts'
import { CHUNK } from '../../src/seal/packet.ts'
import { sealBytes } from '../../src/seal/sealer.ts'
import { drawSecret, passphraseOf } from '../../src/seal/secret.ts'
import { signDetached, verifyDetached } from '../../src/seal/signature.ts'
import { rejection } from '../unit/seal/failures.ts'
import { SAFE_PASSPHRASE, vectorFile, vectors } from '../unit/seal/vectors.ts'
import { GpgHome, gpgVersion } from './seal-gpg.ts'

if (gpgVersion === undefined)
  process.stderr.write(
    '\nNOT TESTED: gpg is not installed, so nothing here was compared with it\n\n',
  )
const describeGpg = gpgVersion === undefined ? describe.skip : describe

const KINDS: [string, string, string[]][] = [
  ['rsa', 'RSA 3072', ['rsa3072', 'default', 'never']],
  ['ed', 'ed25519/cv25519', ['future-default', 'default', 'never']],
  ['nist', 'nistP256', ['nistp256', 'default', 'never']],
]
const PASSPHRASE = 'Ödön 7 titka'
const half = drawSecret().a
const manifest = Buffer.from('{"label":"20261122T020000Z-crm"}\r\n')

const SIZES = [
  [0, 1, 185, 186, 511, 512, 513, 8377, 8378],
  [CHUNK - 53, CHUNK - 52, CHUNK - 7, CHUNK - 6, CHUNK - 5, CHUNK, CHUNK + 1],
  [2 * CHUNK - 6, 5 << 20],
].flat()

let home: GpgHome
let inherited: string | undefined

/** What GpgOpener finds. */
function use(gpgHome: GpgHome): void {
  process.env['GNUPGHOME'] = gpgHome.path
}

async function publicKey(
  name: string,
  how: 'encrypt' | 'sign' = 'encrypt',
): Promise<PublicKeyFile> {
  const [file] = await readPublicKeys(`${name}.asc`, home.exportPublic(name), { use: how })
  return file!
}

async function privateKey(name: string, passphrase = '') {
  const [file] = await readPrivateKeys(`${name}.asc`, home.exportPrivate(name, passphrase))
  return unlockKey(file!, Buffer.from(passphrase))
}

beforeAll(() => {
  inherited = process.env['GNUPGHOME']
  if (gpgVersion === undefined) return
  home = new GpgHome()
  use(home)
  for (const [name, , kind] of KINDS) {
    home.makeKey(name, kind)
    // the default kind gets a subkey by itself
    if (name !== 'ed') {
      const subkey = ['--quick-add-key', home.fingerprint(name), kind[0]!, 'encr', 'never']
      home.run(['--passphrase', '', ...subkey])
    }
  }
  home.makeKey('locked', ['future-default', 'default', 'never'], { passphrase: PASSPHRASE })
  home.makeKey('signer', ['ed25519', 'sign', 'never'])
  home.makeKey('expired', ['future-default', 'default', '1y'], {
    options: ['--faked-system-time', '20200101T120000'],
  })
  home.revoke(home.makeKey('revoked', ['future-default', 'default', 'never']))
})

afterAll(() => {
  home?.remove()
  if (inherited === undefined) delete process.env['GNUPGHOME']
  else process.env['GNUPGHOME'] = inherited
})

describeGpg('sealed objects', () => {
  const secret = passphraseOf(drawSecret())
  const open = (sealed: Buffer, passphrase: Buffer): Buffer => {
    const file = join(home.path, 'passphrase')
    writeFileSync(file, passphrase, { mode: 0o600 })
    return home.run(['--pinentry-mode', 'loopback', '--passphrase-file', file, '--decrypt'], sealed)
  }

  test.each(SIZES)('open with gpg: %d bytes', (size) => {
    const content = randomBytes(size)
    expect(open(sealBytes(secret, content), secret).equals(content)).toBe(true)
  })

  test('do not open with gpg and another passphrase, or changed', () => {
    const sealed = sealBytes(secret, randomBytes(1000))
    for (const wrong of [secret.subarray(0, 43), secret.subarray(43)])
      expect(() => open(sealed, wrong)).toThrow()
    sealed[500]! ^= 1
    expect(() => open(sealed, secret)).toThrow(/manipulated/)
  })

  test('of other programs are refused', () => {
    const made = home.run(
      ['--pinentry-mode', 'loopback', '--passphrase', 'x', '--symmetric'],
      'content',
    )
    expect(() => openBytes(Buffer.from('x'), made)).toThrow('not a sealed object')
  })
})

describeGpg('keys of gpg', () => {
  test.each(KINDS)('%s', async (name, algorithm) => {
    const fingerprint = home.fingerprint(name)
    const userIds = [`${name} <${name}@example.org>`]
    const expected = { fingerprint, userIds, algorithm, problems: [], warnings: [] }
    expect(await publicKey(name)).toMatchObject(expected)
  })

  test('with problems', async () => {
    expect((await publicKey('expired')).problems).toEqual(['expired on 2020-12-31'])
    expect((await publicKey('revoked')).problems).toEqual(['is revoked'])
    expect((await publicKey('signer')).problems).toEqual(['is not meant for encryption'])
    expect((await publicKey('signer', 'sign')).problems).toEqual([])
    home.makeKey('brain', ['brainpoolP256r1', 'default', 'never'])
    expect((await publicKey('brain')).problems).toEqual([
      'its curve brainpoolP256r1 is not supported',
    ])
  })

  test('in one file, binary', async () => {
    const bytes = home.run(['--export', '<rsa@example.org>', '<ed@example.org>'])
    const files = await readPublicKeys('keys.gpg', bytes, { use: 'encrypt' })
    expect(files.map((file) => file.fingerprint)).toEqual(
      ['rsa', 'ed'].map((name) => home.fingerprint(name)),
    )
  })
})

describeGpg('envelopes', () => {
  test.each(KINDS)('for a key of gpg open with gpg and with the key: %s', async (name) => {
    const armored = await sealEnvelope(half, [(await publicKey(name)).key])
    expect(home.run(['--decrypt'], armored)).toEqual(half)
    expect(await openEnvelope(armored, new GpgOpener())).toEqual(half)
    expect(await openEnvelope(armored, new KeyRing([await privateKey(name)]))).toEqual(half)
  })

  test('for several keys open with any of them', async () => {
    const files = await Promise.all(KINDS.map(([name]) => publicKey(name)))
    const armored = await sealEnvelope(
      half,
      files.map((file) => file.key),
    )
    for (const [name] of KINDS) {
      const alone = new GpgHome()
      try {
        alone.run(['--import'], home.exportPrivate(name))
        use(alone)
        expect(await openEnvelope(armored, new GpgOpener())).toEqual(half)
      } finally {
        use(home)
        alone.remove()
      }
    }
  })

  test('made by gpg open too', async () => {
    for (const [name] of KINDS) {
      const armored = home.run(
        ['--armor', '--recipient', `<${name}@example.org>`, '--encrypt'],
        half,
      )
      expect(await openEnvelope(armored, new KeyRing([await privateKey(name)]))).toEqual(half)
    }
  })

  test('open with exported subkeys alone, behind a passphrase', async () => {
    const armored = await sealEnvelope(half, [(await publicKey('locked')).key])
    const exported = home.exportPrivate('locked', PASSPHRASE, '--export-secret-subkeys')
    const [file] = await readPrivateKeys('locked.asc', exported)
    expect(file!.locked).toBe(true)
    expect((await rejection(unlockKey(file!, Buffer.from('x')))).message).toContain('is wrong')
    const ring = new KeyRing([await unlockKey(file!, Buffer.from(PASSPHRASE))])
    expect(await openEnvelope(armored, ring)).toEqual(half)
  })

  test('open with neither side alone', async () => {
    const secret = drawSecret()
    const a = await sealEnvelope(secret.a, [(await publicKey('rsa')).key])
    const b = await sealEnvelope(secret.b, [(await publicKey('ed')).key])
    const alone = new GpgHome()
    try {
      alone.run(['--import'], home.exportPrivate('rsa'))
      alone.run(['--import'], home.exportPublic('ed'))
      use(alone)
      expect(await openEnvelope(a, new GpgOpener())).toEqual(secret.a)
      expect((await rejection(openEnvelope(b, new GpgOpener()))).kind).toBe('key')
    } finally {
      use(home)
      alone.remove()
    }
    expect(await openEnvelope(b, new GpgOpener())).toEqual(secret.b)
  })
})

describeGpg('gpg that does not open an envelope', () => {
  let locked: Buffer

  beforeAll(async () => {
    locked = await sealEnvelope(half, [(await publicKey('locked')).key])
  })

  afterAll(() => home.setPinentry(home.pinentry('ERR 83886179 Operation cancelled')))

  async function reason(answer: string) {
    home.setPinentry(home.pinentry(answer))
    const failed = await rejection(openEnvelope(locked, new GpgOpener()))
    expect(`${failed.message} ${failed.hint}`).not.toContain('drachenfels')
    return failed
  }

  test('but does with the passphrase', async () => {
    home.setPinentry(home.pinentry(`D ${PASSPHRASE}\\nOK`))
    expect(await openEnvelope(locked, new GpgOpener())).toEqual(half)
  })

  test('is told: wrong passphrase, cancelled, nobody to ask', async () => {
    expect(await reason('D drachenfels\\nOK')).toMatchObject({
      kind: 'key',
      message: 'gpg did not open the envelope: the passphrase or PIN was wrong',
    })
    for (const answer of ['ERR 83886179 Operation cancelled', 'ERR 83886278 Fully cancelled'])
      expect(await reason(answer)).toMatchObject({
        kind: 'key',
        message: 'gpg did not open the envelope: it was cancelled',
      })
    home.setPinentry('/nonexistent')
    const failed = await rejection(openEnvelope(locked, new GpgOpener()))
    expect(failed).toMatchObject({ kind: 'key' })
    expect(failed.hint).toContain('GPG_TTY')
  })

  test('is told: no private key, with and without the public one', async () => {
    const { key } = await publicKey('ed')
    const armored = await sealEnvelope(half, [key])
    const id = key.subkeys[0]!.getKeyID().toHex().toUpperCase()
    const empty = new GpgHome()
    try {
      use(empty)
      for (const imported of ['', home.exportPublic('ed')]) {
        if (imported) empty.run(['--import'], imported)
        const failed = await rejection(openEnvelope(armored, new GpgOpener()))
        expect(failed.kind).toBe('key')
        expect(failed.message).toContain(id)
      }
    } finally {
      use(home)
      empty.remove()
    }
  })

  test('is told: damage', async () => {
    const armored = await sealEnvelope(half, [(await publicKey('rsa')).key])
    const text = armored.toString().replace(/\n=.{4}\n/, '\n')
    const body = text.indexOf('\n\n') + 2
    // in the RSA number, in the encrypted bytes
    for (const at of [body + 100, text.indexOf('\n-----END') - 30]) {
      const digit = text[at] === 'A' ? 'B' : 'A'
      const changed = Buffer.from(text.slice(0, at) + digit + text.slice(at + 1))
      expect((await rejection(openEnvelope(changed, new GpgOpener()))).kind).toBe('integrity')
    }
  })

  test('because it is stopped', async () => {
    const stop = new AbortController()
    stop.abort(new Error('stopped'))
    const opened = openEnvelope(locked, new GpgOpener({ signal: stop.signal }))
    await expect(opened).rejects.toThrow('stopped')
  })
})

describe('a program in the place of gpg', () => {
  const program = join(tmpdir(), `pv-gpg-${process.pid}`)
  let armored: Buffer

  beforeAll(async () => {
    const made = await generateKey({ name: 'Ada', use: 'encrypt' })
    const [file] = await readPublicKeys('ada.asc', Buffer.from(made.publicKey), { use: 'encrypt' })
    armored = await sealEnvelope(half, [file!.key])
  })

  async function run(script: string): Promise<Buffer> {
    writeFileSync(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    return openEnvelope(armored, new GpgOpener({ program }))
  }

  afterAll(() => rmSync(program, { force: true }))

  const OK = `echo '[GNUPG:] DECRYPTION_OKAY' >&3; echo '[GNUPG:] GOODMDC' >&3`

  test('gets the envelope, and of the environment what it needs', async () => {
    process.env['PGVEIL_TEST_SECRET'] = 'drachenfels'
    try {
      const got = await run(`cat | wc -c; env; echo "$@"; ${OK}`)
      expect(Number(got.toString().split('\n')[0])).toBeGreaterThan(100)
      expect(got.toString()).toContain('PATH=')
      expect(got.toString()).not.toContain('drachenfels')
    } finally {
      delete process.env['PGVEIL_TEST_SECRET']
    }
  })

  test('that does not read is no crash', async () => {
    expect((await run(`printf x; ${OK}`)).toString()).toBe('x')
  })

  test.each([
    ['is not there', undefined, /is not installed/],
    ['fails', 'echo content; exit 2', /did not open/],
    ['does not say that it went well', 'echo content', /did not open/],
    ['says nothing of integrity', `echo content; echo '[GNUPG:] DECRYPTION_OKAY' >&3`, /did not/],
    ['fails though it says so', `echo content; ${OK}; exit 1`, /did not open/],
    ['gives too much', `head -c 100000 /dev/zero; ${OK}`, /did not open/],
    ['misses a card', failing('Card not present'), /smart card is missing/],
    ['misses the right card', failing('Wrong card'), /smart card/],
    ['misses a reader', failing('No such device'), /smart card/],
    ['finds the card blocked', failing('PIN blocked'), /blocked its PIN/],
    ['was given a wrong PIN', failing('Bad PIN'), /passphrase or PIN was wrong/],
    ['finds no agent', failing('No agent running'), /agent/],
    ['says something of its own', failing('drachenfels'), /did not open/],
  ])('that %s', async (_, script, message) => {
    const opened =
      script === undefined
        ? openEnvelope(armored, new GpgOpener({ program: '/nonexistent/gpg' }))
        : run(script)
    const failed = await rejection(opened)
    expect(failed.kind).toBe('key')
    expect(failed.message).toMatch(message)
    expect(`${failed.message} ${failed.hint}`).not.toMatch(/drachenfels|content/)
  })
})

function failing(reason: string): string {
  return `echo '[GNUPG:] ENC_TO 0123456789ABCDEF 1 0' >&3; echo 'gpg: public key decryption failed: ${reason}' >&2; exit 2`
}

describeGpg('signatures', () => {
  const verify = (gpgHome: GpgHome, signature: Buffer): Buffer => {
    const file = join(gpgHome.path, 'manifest.json')
    writeFileSync(file, manifest)
    return gpgHome.run(['--status-fd', '1', '--verify', '-', file], signature)
  }
  const byGpg = (name: string, ...options: string[]): Buffer =>
    home.run(
      [...options, '--local-user', `<${name}@example.org>`, '--armor', '--detach-sign'],
      manifest,
    )

  test.each([...KINDS.map(([name]) => name), 'signer'])('hold both ways: %s', async (name) => {
    const { key, fingerprint } = await publicKey(name, 'sign')
    const ours = await signDetached(manifest, await privateKey(name))
    expect(verify(home, ours).toString()).toContain(`VALIDSIG ${fingerprint}`)
    expect(await verifyDetached(manifest, byGpg(name), [key])).toMatchObject({ fingerprint })
  })

  test('with SHA-1 do not hold', async () => {
    const { key } = await publicKey('rsa', 'sign')
    const options = ['--digest-algo', 'SHA1', '--allow-weak-digest-algos']
    const failed = await rejection(verifyDetached(manifest, byGpg('rsa', ...options), [key]))
    expect(failed.kind).toBe('integrity')
  })

  test('of text do not hold', async () => {
    const { key } = await publicKey('rsa', 'sign')
    const failed = await rejection(verifyDetached(manifest, byGpg('rsa', '--textmode'), [key]))
    expect(failed.kind).toBe('integrity')
  })

  test('from before their key do not hold', async () => {
    const { key } = await publicKey('signer', 'sign')
    const early = [
      '--faked-system-time',
      '20200101T120000',
      '--ignore-time-conflict',
      '--ignore-valid-from',
    ]
    const failed = await rejection(verifyDetached(manifest, byGpg('signer', ...early), [key]))
    expect(failed.kind).toBe('integrity')
  })

  test('hold when their key has expired since, and when it was prolonged and exported minimally', async () => {
    const then = ['--faked-system-time', '20200601T120000']
    const signature = byGpg('expired', ...then)
    const { key, fingerprint } = await publicKey('expired', 'sign')
    const signed = new Date('2020-06-01T12:00:00Z')
    expect(await verifyDetached(manifest, signature, [key])).toEqual({ fingerprint, at: signed })
    const later = ['--faked-system-time', '20201001T120000', '--passphrase', '']
    home.run([...later, '--quick-set-expire', fingerprint, '1y'])
    const minimal = home.exportPublic('expired', '--export-options', 'export-minimal')
    const [prolonged] = await readPublicKeys('minimal.asc', minimal, { use: 'sign' })
    expect(prolonged!.expires!.getUTCFullYear()).toBe(2021)
    expect(await verifyDetached(manifest, signature, [prolonged!.key])).toMatchObject({
      at: signed,
    })
    // but not one from after that
    const late = byGpg('ed')
    expect((await rejection(verifyDetached(manifest, late, [prolonged!.key]))).kind).toBe(
      'integrity',
    )
  })

  test('do not hold once their key is revoked without a reason', async () => {
    const fingerprint = home.makeKey('taken', ['ed25519', 'sign', 'never'])
    const signature = byGpg('taken')
    const before = await publicKey('taken', 'sign')
    expect(await verifyDetached(manifest, signature, [before.key])).toMatchObject({ fingerprint })
    home.revoke(fingerprint)
    const after = await publicKey('taken', 'sign')
    expect((await rejection(verifyDetached(manifest, signature, [after.key]))).kind).toBe(
      'integrity',
    )
  })
})

describeGpg('generated keys work in gpg', () => {
  let other: GpgHome
  beforeAll(() => {
    other = new GpgHome()
  })
  afterAll(() => other.remove())

  test.each([undefined, Buffer.from(PASSPHRASE)])('passphrase: %s', async (passphrase) => {
    const name = passphrase ? 'locked' : 'open'
    const options = passphrase ? { passphrase } : {}
    const encrypting = await generateKey({
      name,
      email: `${name}@enc.example`,
      use: 'encrypt',
      ...options,
    })
    const signing = await generateKey({
      name,
      email: `${name}@sig.example`,
      use: 'sign',
      ...options,
    })
    const loopback = ['--pinentry-mode', 'loopback', '--passphrase', passphrase?.toString() ?? '']
    for (const made of [encrypting, signing]) {
      other.run([...loopback, '--import'], made.privateKey)
      expect(other.run(['--with-colons', '--list-secret-keys']).toString()).toContain(
        made.fingerprint,
      )
    }
    const sealed = other.run(['--recipient', encrypting.fingerprint, '--encrypt'], half)
    expect(other.run([...loopback, '--decrypt'], sealed)).toEqual(half)
    const [file] = await readPublicKeys('new.asc', Buffer.from(encrypting.publicKey), {
      use: 'encrypt',
    })
    const armored = await sealEnvelope(half, [file!.key])
    expect(other.run([...loopback, '--decrypt'], armored)).toEqual(half)
    const signature = other.run(
      [...loopback, '--local-user', signing.fingerprint, '--armor', '--detach-sign'],
      manifest,
    )
    const [signer] = await readPublicKeys('new.asc', Buffer.from(signing.publicKey), {
      use: 'sign',
    })
    expect(await verifyDetached(manifest, signature, [signer!.key])).toMatchObject({
      fingerprint: signing.fingerprint,
    })
    const failed = () => other.run(['--recipient', signing.fingerprint, '--encrypt'], half)
    expect(failed).toThrow(/Unusable public key/)
  })
})

describeGpg('the vectors', () => {
  let other: GpgHome
  const loopback = (passphrase: string): string[] => [
    '--pinentry-mode',
    'loopback',
    '--passphrase',
    passphrase,
  ]

  beforeAll(() => {
    other = new GpgHome()
    for (const name of ['operations', 'safe', 'host'])
      other.run([...loopback(SAFE_PASSPHRASE), '--import'], vectorFile(`${name}.private.asc`))
  })
  afterAll(() => other.remove())

  test('open by the way that is written down: two envelopes, two halves, one passphrase', () => {
    const halves = ['a', 'b'].map((side) =>
      other.run([...loopback(SAFE_PASSPHRASE), '--decrypt'], vectorFile(`${side}.envelope.asc`)),
    )
    const passphrase = Buffer.concat(halves).toString()
    expect(passphrase).toBe(vectors.a + vectors.b)
    for (const { text, count, sealed } of vectors.objects) {
      if (sealed === undefined) continue
      const opened = other.run(
        [...loopback(passphrase), '--decrypt'],
        Buffer.from(sealed, 'base64'),
      )
      expect(opened.toString()).toBe(text.repeat(count))
    }
  })

  test('are signed', () => {
    const signature = join(other.path, 'manifest.json.asc')
    writeFileSync(signature, vectorFile('manifest.json.asc'))
    const verified = other.run(
      ['--status-fd', '1', '--verify', signature, '-'],
      vectorFile('manifest.json'),
    )
    expect(verified.toString()).toContain('VALIDSIG')
  })
})
