import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { chmod, copyFile, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readDrills } from '../../src/backup/drills.ts'
import type { StoreSettings } from '../../src/config/store.ts'
import { readPrivateKeys, unlockKey } from '../../src/seal/key-ring.ts'
import { halfDigest, passphraseOf, type Secret } from '../../src/seal/secret.ts'
import { openStore } from '../../src/store/open.ts'
import { Bench } from './keys-bench.ts'
import { GpgHome, gpgVersion } from './seal-gpg.ts'

if (gpgVersion === undefined)
  process.stderr.write('\nNOT TESTED: gpg is not installed, so no custodian used it\n\n')
const testGpg = gpgVersion === undefined ? test.skip : test

const LABEL = '20261122T020000Z-crm'
const OTHER = '20261122T020000Z-shop'
const PASSPHRASES = ['correct horse Ödön', 'battery staple']

let bench: Bench
let secret: Secret

beforeAll(async () => {
  bench = await Bench.open()
  const made = await bench.pgveil('keys', 'init', '--no-passphrases', '--write-config')
  expect(made).toMatchObject({ code: 0 })
  await bench.configure((text) => `store: { directory: store }\n${text}`)
  secret = await bench.backUp(LABEL)
})

afterAll(() => bench.remove())

const key = (side: string) => ['--key', `keys/${side}.private.asc`]

/** Whatever is said, no half of a backup is in it. */
function expectNoHalf(text: string, of: Secret): void {
  for (const half of [of.a, of.b]) expect(text).not.toContain(half.toString('latin1'))
}

describe('keys init', () => {
  test('private keys are for their owner only; the section works as it is printed', async () => {
    const own = await Bench.open()
    try {
      const { code, out, err } = await own.withLines(
        PASSPHRASES,
        'keys',
        'init',
        '--name=crm',
        '--sides=ops,safe',
        '--directory=k',
      )
      expect({ code, err }).toEqual({ code: 0, err: '' })
      for (const passphrase of PASSPHRASES) expect(out).not.toContain(passphrase)
      const names = await readdir(own.file('k'))
      expect(names.toSorted()).toEqual(
        ['ops', 'safe', 'signer', 'verdicts', 'verifier'].flatMap((name) => [
          `${name}.private.asc`,
          `${name}.public.asc`,
        ]),
      )
      for (const name of names.filter((each) => each.includes('private')))
        expect((await stat(join(own.file('k'), name))).mode & 0o777).toBe(0o600)
      const section = /^backup:\n(?: .*\n)+/m.exec(out)?.[0] ?? ''
      await writeFile(own.file('pgveil.yaml'), `store: { directory: store }\n${section}`)
      const half = halfDigest((await own.backUp(LABEL)).b)
      const drill = ['keys', 'drill', '--side', 'safe', '--key', 'k/safe.private.asc']
      const passed = await own.withLines([PASSPHRASES[1]!], ...drill)
      expect(passed).toMatchObject({ code: 0 })
      expect(passed.out).toContain(half)
      const wrong = await own.withLines([PASSPHRASES[0]!], ...drill)
      expect(wrong.code).toBe(14)
      expect(wrong.err).toContain('the passphrase of key')
      expect(wrong.err).not.toContain(PASSPHRASES[0])
    } finally {
      await own.remove()
    }
  })

  test('passphrases are asked for twice, and not shown', async () => {
    const own = await Bench.open()
    try {
      const [one, two] = PASSPHRASES as [string, string]
      const differ = await own.typing([one, two], 'keys', 'init')
      expect(differ.code).toBe(14)
      expect(differ.err).toContain('the two passphrases for operations differ')
      expect(await readdir(own.path)).toEqual([])
      const { code, out, err } = await own.typing([one, one, two, two], 'keys', 'init')
      expect(code).toBe(0)
      for (const passphrase of PASSPHRASES) expect(out + err).not.toContain(passphrase)
      const text = await readFile(own.file('keys/offline.private.asc'))
      const [key] = await readPrivateKeys('offline', text)
      expect(key!.locked).toBe(true)
      await unlockKey(key!, Buffer.from(two))
    } finally {
      await own.remove()
    }
  })

  test('nothing is replaced, and then nothing is made', async () => {
    const own = await Bench.open()
    try {
      await writeFile(own.file('pgveil.yaml'), 'jobs: 1\n')
      const args = ['keys', 'init', '--no-passphrases']
      const configured = await own.pgveil(...args, '--write-config')
      expect(configured).toMatchObject({ code: 16 })
      expect(configured.err).toContain('pgveil.yaml already')
      expect(await readdir(own.path)).toEqual(['pgveil.yaml'])
      expect(await own.pgveil(...args)).toMatchObject({ code: 0 })
      await unlink(own.file('keys/operations.public.asc'))
      const before = await readFile(own.file('keys/signer.private.asc'))
      const again = await own.pgveil(...args)
      expect(again).toMatchObject({ code: 16, out: '' })
      expect(await readFile(own.file('keys/signer.private.asc'))).toEqual(before)
      expect(await readdir(own.file('keys'))).not.toContain('operations.public.asc')
    } finally {
      await own.remove()
    }
  })

  test.each([
    [['--sides', 'one'], 2, '--single-side'],
    [['--sides', 'a,a'], 2, '--sides wants two names'],
    [['--sides', 'a,verifier'], 2, '"verifier" is no name for a side'],
    [['--sides', 'a,../b'], 2, 'is no name for a side'],
    [['--single-side', '--sides', 'a,b'], 2, '--single-side wants one side'],
    [['--name', 'C R M'], 2, 'is no name for backups'],
  ])('%j is refused', async (args, code, message) => {
    const own = await Bench.open()
    try {
      const refused = await own.pgveil('keys', 'init', '--no-passphrases', ...args)
      expect(refused.code).toBe(code)
      expect(refused.err).toContain(message)
      expect(await readdir(own.path)).toEqual([])
      const unasked = await own.pgveil('keys', 'init')
      expect(unasked.code).toBe(14)
      expect(unasked.err).toContain('--no-passphrases')
    } finally {
      await own.remove()
    }
  })
})

describe('keys check', () => {
  test('shows every key, and the private ones that lie where they should not', async () => {
    const { code, events } = await bench.events('keys', 'check')
    expect(code).toBe(0)
    const [event] = events as [{ keys: { role: string; algorithm: string }[]; warnings: string[] }]
    expect(event.keys.map(({ role }) => role)).toEqual([
      'side operations',
      'side offline',
      'verifier',
      'signer',
      'verdict signer',
      'signing key',
      'verifier’s private key',
      'verdict signing key',
    ])
    for (const side of ['operations', 'offline', 'verifier'])
      expect(event.warnings.join('\n')).toMatch(new RegExp(`keys/${side}.private.asc holds the P`))
    expect(event.warnings).toHaveLength(3)
    expect(await bench.pgveil('keys', 'check', '--strict')).toMatchObject({ code: 21 })
  })

  test('a signing key that others can read is warned of', async () => {
    await chmod(bench.file('keys/signer.private.asc'), 0o640)
    const { out } = await bench.pgveil('keys', 'check')
    await chmod(bench.file('keys/signer.private.asc'), 0o600)
    expect(out).toMatch(/warning: key \S+ of signing key .* can be read by other users/)
  })

  test('a private key is found by what it is, not by its name', async () => {
    const own = await Bench.open()
    try {
      await own.pgveil('keys', 'init', '--no-passphrases', '--write-config')
      const armored = await readFile(own.file('keys/offline.private.asc'), 'utf8')
      for (const side of ['operations', 'offline', 'verifier'])
        await unlink(own.file(`keys/${side}.private.asc`))
      expect(await own.pgveil('keys', 'check', '--strict')).toMatchObject({ code: 0, err: '' })
      const [, packets = ''] = /\n\n([^=]+=*)\n=/.exec(armored) ?? []
      await writeFile(own.file('notes.bin'), Buffer.from(packets, 'base64'))
      const { code, err } = await own.pgveil('keys', 'check', '--strict')
      expect(code).toBe(21)
      expect(err).toMatch(/notes\.bin holds the PRIVATE key [0-9A-F]{40} of offline/)
    } finally {
      await own.remove()
    }
  })

  test('the private keys of restore tests are looked at where they lie', async () => {
    const own = await Bench.open()
    try {
      await own.pgveil('keys', 'init', '--no-passphrases', '--write-config')
      const config = await readFile(own.file('pgveil.yaml'), 'utf8')
      const exchanged = config
        .replace('key: "keys/verifier.private.asc"', 'key: "keys/signer.private.asc"')
        .replace('"keys/verdicts.private.asc"', '"keys/verifier.private.asc"')
      await writeFile(own.file('pgveil.yaml'), exchanged)
      const { code, out } = await own.pgveil('keys', 'check')
      expect(code).toBe(14)
      expect(out).toMatch(/verifier’s private key .* it would open no backup/)
      expect(out).toMatch(/verdict signing key .* nobody would believe its verdicts/)
    } finally {
      await own.remove()
    }
  })

  test('a planted key, a key on both sides and one that is missing are all shown', async () => {
    const own = await Bench.open()
    try {
      await own.pgveil('keys', 'init', '--no-passphrases', '--write-config')
      await copyFile(own.file('keys/offline.public.asc'), own.file('keys/operations.public.asc'))
      await unlink(own.file('keys/verifier.public.asc'))
      const { code, out, err } = await own.pgveil('keys', 'check')
      expect(code).toBe(14)
      expect(out).toContain('is not the pinned one')
      expect(out).toContain('is on both sides, operations and offline')
      expect(out).toContain('verifier.public.asc: no such file or directory (ENOENT)')
      expect(out).toContain('3 problems')
      expect(err).toContain('pgveil: error: key')
    } finally {
      await own.remove()
    }
  })
})

describe('keys drill', () => {
  test('each custodian alone passes for its side, and only for that', async () => {
    const half = { operations: halfDigest(secret.a), offline: halfDigest(secret.b) }
    for (const side of ['operations', 'offline'] as const) {
      const { code, events } = await bench.events('keys', 'drill', '--side', side, ...key(side))
      expect({ code, events }).toEqual({
        code: 0,
        events: [
          { event: 'drill', label: LABEL, sides: [{ side, passed: true, half: half[side] }] },
        ],
      })
    }
    const both = await bench.pgveil('keys', 'drill', ...key('offline'))
    expect(both.code).toBe(14)
    expect(both.out).toContain('operations: NO; the envelope is for other keys')
    expect(both.out).toContain('offline: yes')
    expectNoHalf(both.out + both.err, secret)
  })

  test('sides that pass are noted, the others not', async () => {
    rmSync(bench.file('store/drills'), { recursive: true, force: true })
    const began = Math.floor(Date.now() / 1000) * 1000
    await bench.pgveil('keys', 'drill', ...key('offline'))
    const store = await openStore({ kind: 'directory', path: bench.file('store') } as StoreSettings)
    const drills = await readDrills(store, 'crm')
    expect([...drills.keys()]).toEqual(['offline'])
    expect(drills.get('offline')).toBeGreaterThanOrEqual(began)
    expect(drills.get('offline')).toBeLessThanOrEqual(Date.now())
    expect(await readDrills(store, 'another')).toEqual(new Map())
    const [file = ''] = readdirSync(bench.file('store/drills'))
    const noted = JSON.parse(readFileSync(bench.file(`store/drills/${file}`), 'utf8'))
    expect(noted).toMatchObject({ name: 'crm', label: LABEL, side: 'offline' })
    expectNoHalf(JSON.stringify(noted), secret)
    // Where that cannot be, the drill counts all the same, and it is said.
    rmSync(bench.file('store/drills'), { recursive: true })
    writeFileSync(bench.file('store/drills'), '')
    const blocked = await bench.pgveil('keys', 'drill', '--side', 'offline', ...key('offline'))
    rmSync(bench.file('store/drills'))
    expect(blocked.code).toBe(0)
    expect(blocked.out + blocked.err).toMatch(/the drill is not noted in the store/)
  })

  test('the key of the restore server is no custodian', async () => {
    const { code } = await bench.pgveil('keys', 'drill', '--side', 'offline', ...key('verifier'))
    expect(code).toBe(14)
  })

  test('what is not there is said', async () => {
    const side = await bench.pgveil('keys', 'drill', '--side', 'safe', ...key('offline'))
    expect(side.code).toBe(2)
    expect(side.err).toContain('sides are operations and offline')
    const label = await bench.pgveil('keys', 'drill', '--label', OTHER, ...key('offline'))
    expect(label.code).toBe(2)
  })
})

describe('unlock', () => {
  const REQUEST = 'request.asc'
  const answer = (...args: string[]) => bench.pgveil('unlock', 'answer', ...args)

  beforeAll(async () => {
    const args = ['--side', 'offline', '--output', REQUEST]
    const { code, out, err } = await bench.pgveil('unlock', 'request', ...args)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toContain(halfDigest(secret.b))
    const again = await bench.pgveil('unlock', 'request', ...args)
    expect(again.code).toBe(16)
  })

  test('the custodian opens it with nothing but the file and the key', async () => {
    const away = await Bench.open()
    try {
      await copyFile(bench.file(REQUEST), away.file(REQUEST))
      await copyFile(bench.file('keys/offline.private.asc'), away.file('k.asc'))
      const args = ['unlock', 'answer', '--envelope', REQUEST, '--key', 'k.asc']
      const { code, out, err } = await away.pgveil(...args)
      expect({ code, err }).toEqual({ code: 0, err: '' })
      expect(out).toContain(halfDigest(secret.b))
      expectNoHalf(out + err, secret)
      expect((await stat(away.file('answer.txt'))).mode & 0o777).toBe(0o600)
      expect(await readFile(away.file('answer.txt'))).toEqual(secret.b)
      expect((await away.pgveil(...args)).code).toBe(16)
      const printed = await away.pgveil(...args, '--output', '-')
      expect(printed.out).toBe(`${secret.b.toString('latin1')}\n`)
      expect(printed.err).toContain(halfDigest(secret.b))
      // the answer goes back
      await copyFile(away.file('answer.txt'), bench.file('answer.txt'))
    } finally {
      await away.remove()
    }
    const drill = ['keys', 'drill', '--half', 'offline=answer.txt', '--side', 'offline']
    expect(await bench.pgveil(...drill, ...key('operations'))).toMatchObject({ code: 0 })
    await rm(bench.file('answer.txt'))
  })

  testGpg('gpg alone opens it, from the same file', async () => {
    const home = new GpgHome()
    try {
      home.run(['--import'], await readFile(bench.file('keys/offline.private.asc')))
      expect(home.run(['--decrypt', bench.file(REQUEST)])).toEqual(secret.b)
    } finally {
      home.remove()
    }
  })

  testGpg('pgveil opens it through gpg', async () => {
    const home = new GpgHome()
    const inherited = process.env['GNUPGHOME']
    process.env['GNUPGHOME'] = home.path
    try {
      home.run(['--import'], await readFile(bench.file('keys/offline.private.asc')))
      const args = ['--envelope', REQUEST, '--output', 'by-gpg.txt']
      expect(await answer(...args)).toMatchObject({ code: 0 })
      expect(await readFile(bench.file('by-gpg.txt'))).toEqual(secret.b)
    } finally {
      if (inherited === undefined) delete process.env['GNUPGHOME']
      else process.env['GNUPGHOME'] = inherited
      home.remove()
    }
  })

  test('another key, another half, no envelope: nothing is written', async () => {
    const text = await readFile(bench.file(REQUEST), 'utf8')
    await writeFile(
      bench.file('swapped.asc'),
      text.replace(/: [0-9a-f]{64}$/m, `: ${'0'.repeat(64)}`),
    )
    await writeFile(bench.file('torn.asc'), text.slice(0, -200))
    for (const [file, holder, code] of [
      [REQUEST, 'operations', 14],
      ['swapped.asc', 'offline', 15],
      ['torn.asc', 'offline', 15],
      ['keys/offline.public.asc', 'offline', 15],
      ['absent.asc', 'offline', 14],
    ] as const) {
      const refused = await answer('--envelope', file, '--output', 'none.txt', ...key(holder))
      expect({ file, code: refused.code }).toEqual({ file, code })
      expectNoHalf(refused.out + refused.err, secret)
    }
    expect(await readdir(bench.path)).not.toContain('none.txt')
  })
})

test('a tampered envelope is found before anybody opens it', async () => {
  const path = bench.file(`store/${LABEL}/envelopes/offline.asc`)
  const whole = await readFile(path)
  await writeFile(path, await readFile(bench.file(`store/${LABEL}/envelopes/operations.asc`)))
  for (const args of [
    ['keys', 'drill', '--side', 'offline', ...key('offline')],
    ['unlock', 'request', '--side', 'offline', '--output', 'none.asc'],
    ['keys', 'rewrap', '--label', LABEL, '--side', 'offline', ...key('offline')],
  ]) {
    const { code, err } = await bench.pgveil(...args)
    expect({ args, code }).toEqual({ args, code: 15 })
    expect(err).toContain(`${LABEL}/envelopes/offline.asc is not the envelope that was signed`)
  }
  await writeFile(path, whole)
})

describe('keys rewrap', () => {
  let own: Bench
  let before: Secret
  const below = (label: string) => own.file(`store/${label}`)
  const rewrap = (...args: string[]) => own.pgveil('keys', 'rewrap', '--side', 'offline', ...args)
  const drill = (name: string) =>
    own.pgveil('keys', 'drill', '--label', LABEL, '--side', 'offline', '--key', name)

  /** New keys for the side offline, in the configuration, too. */
  async function replaceCustodian(directory: string): Promise<void> {
    const made = await own.events('keys', 'init', '--no-passphrases', '--directory', directory)
    const { section } = made.events.at(-1) as { section: string }
    const line = /^ {4}offline: .*$/m
    await own.configure((text) => text.replace(line, line.exec(section)![0]))
  }

  beforeAll(async () => {
    own = await Bench.open()
    await own.pgveil('keys', 'init', '--no-passphrases', '--write-config')
    await own.configure((text) => `store: { directory: store }\n${text}`)
    before = await own.backUp(LABEL)
    await own.backUp(OTHER)
    await replaceCustodian('new')
  })

  afterAll(() => own.remove())

  const OLD = 'keys/offline.private.asc'
  const NEW = 'new/offline.private.asc'

  test('a dry run opens and writes nothing; a wrong key is told', async () => {
    const listed = await readdir(below(LABEL), { recursive: true })
    const dry = await rewrap('--label', LABEL, '--dry-run', '--key', OLD)
    expect(dry).toMatchObject({ code: 0 })
    expect(dry.out).toContain('would rewrap')
    expect(await rewrap('--label', LABEL, '--key', NEW)).toMatchObject({ code: 14 })
    expect(await readdir(below(LABEL), { recursive: true })).toEqual(listed)
  })

  test('the new custodian opens it, the former one does not; the data stays as it is', async () => {
    const manifest = await readFile(join(below(LABEL), 'manifest.json'))
    const data = await readFile(join(below(LABEL), 'globals.sql.pgp'))
    const done = await rewrap('--label', LABEL, '--key', OLD)
    expect(done).toMatchObject({ code: 0, err: '' })
    expectNoHalf(done.out, before)
    expect(await drill(NEW)).toMatchObject({ code: 0 })
    expect(await drill(OLD)).toMatchObject({ code: 14 })
    expect(await readFile(join(below(LABEL), 'manifest.json'))).toEqual(manifest)
    expect(await readFile(join(below(LABEL), 'globals.sql.pgp'))).toEqual(data)
    const names = await readdir(join(below(LABEL), 'envelopes'))
    expect(names.toSorted()).toEqual(['offline.2.asc', 'operations.asc', 'verifier.asc'])
    const lists = (await readdir(below(LABEL))).filter((name) => name.startsWith('envelopes.'))
    expect(lists).toHaveLength(2)
    expect(lists).toContain('envelopes.2.json')
    expect(await own.pgveil('list')).toMatchObject({ code: 0 })
  })

  test('once more there is nothing to do but to remove what a run that died has left', async () => {
    const envelopes = join(below(LABEL), 'envelopes')
    await copyFile(join(envelopes, 'operations.asc'), join(envelopes, 'offline.asc'))
    await writeFile(join(below(LABEL), 'envelopes.json'), 'the former list')
    const again = await own.events('keys', 'rewrap', '--side', 'offline', '--label', LABEL)
    const removed = ['envelopes.json', 'envelopes/offline.asc']
    expect(again).toMatchObject({ code: 0, events: [{ state: 'current', generation: 2, removed }] })
    expect((await readdir(envelopes)).toSorted()).toEqual([
      'offline.2.asc',
      'operations.asc',
      'verifier.asc',
    ])
  })

  test('all: what is done is left alone, the rest follows', async () => {
    const all = ['keys', 'rewrap', '--side', 'offline', '--all']
    const { code, events } = await own.events(...all, '--key', OLD)
    expect({ code, states: events.map(({ state }) => state) }).toEqual({
      code: 0,
      states: ['current', 'rewrapped'],
    })
  })

  test('died between the envelope and the list: opened as before, and the next run cleans up', async () => {
    const envelopes = join(below(LABEL), 'envelopes')
    await copyFile(join(envelopes, 'operations.asc'), join(envelopes, 'offline.3.asc'))
    await writeFile(join(below(LABEL), 'envelopes.3.json.0123456789abcdef.asc'), 'of no list')
    expect(await drill(NEW)).toMatchObject({ code: 0 })
    await replaceCustodian('third')
    expect(await rewrap('--label', LABEL, '--key', NEW)).toMatchObject({ code: 0 })
    expect(await drill('third/offline.private.asc')).toMatchObject({ code: 0 })
    expect((await readdir(envelopes)).toSorted()).toEqual([
      'offline.4.asc',
      'operations.asc',
      'verifier.asc',
    ])
    const lists = (await readdir(below(LABEL))).filter((name) => name.startsWith('envelopes.'))
    expect(lists.toSorted()).toEqual([
      'envelopes.3.json',
      expect.stringMatching(/^envelopes\.3\.json\.[0-9a-f]{16}\.asc$/),
    ])
    expect(lists).not.toContain('envelopes.3.json.0123456789abcdef.asc')
  })

  test('an older list under the name of a newer one is not believed', async () => {
    const names = (await readdir(below(LABEL))).filter((name) => name.startsWith('envelopes.'))
    const added: string[] = []
    for (const name of names) {
      added.push(join(below(LABEL), name.replace('.3.', '.9.')))
      await copyFile(join(below(LABEL), name), added.at(-1)!)
    }
    const { code, err } = await drill('third/offline.private.asc')
    expect(code).toBe(15)
    expect(err).toContain('envelopes.9.json is the list of generation 3')
    await Promise.all(added.map((path) => unlink(path)))
  })

  test('nobody gets both sides', async () => {
    const text = await readFile(own.file('pgveil.yaml'), 'utf8')
    const [, offline = ''] = /^ {4}offline: (.*)$/m.exec(text) ?? []
    const [, operations = ''] = /^ {4}operations: (.*)$/m.exec(text) ?? []
    await own.configure((yaml) =>
      yaml
        .replace(/^( {4}offline: ).*$/m, `$1${operations}`)
        .replace(/^( {4}operations: ).*$/m, `$1${offline}`),
    )
    const { code, err } = await rewrap('--label', LABEL, '--key', 'third/offline.private.asc')
    await writeFile(own.file('pgveil.yaml'), text)
    expect(code).toBe(14)
    expect(err).toContain(`opens the side operations of ${LABEL}`)
  })

  test.each([
    [['--label', LABEL, '--all'], 2, 'either --label or --all'],
    [[], 2, 'either --label or --all'],
    [['--all', '--half', 'offline=x'], 2, '--half is of one backup'],
    [['--all', '--side', 'safe'], 2, ''],
  ])('%j', async (args, code, message) => {
    const refused = await rewrap(...args)
    expect(refused.code).toBe(code)
    expect(refused.err).toContain(message)
  })

  test('two at the same time: whoever wins, the backup opens with the new key', async () => {
    await replaceCustodian('fourth')
    const old = ['--label', LABEL, '--key', 'third/offline.private.asc']
    const ends = await Promise.all([rewrap(...old), rewrap(...old), rewrap(...old)])
    const codes = ends.map(({ code }) => code)
    expect(codes).toContain(0)
    // one that comes later finds it done, or changed under its hands
    for (const code of codes) expect([0, 15, 16]).toContain(code)
    expect(await drill('fourth/offline.private.asc')).toMatchObject({ code: 0 })
    expect(await own.pgveil('list')).toMatchObject({ code: 0 })
  })
})

test('with one side, the whole secret travels', async () => {
  const own = await Bench.open()
  try {
    await own.pgveil('keys', 'init', '--no-passphrases', '--write-config', '--single-side')
    await own.configure((text) => `store: { directory: store }\n${text}`)
    const whole = passphraseOf(await own.backUp(LABEL))
    await own.pgveil('unlock', 'request', '--side', 'operations', '--output', 'r.asc')
    const args = ['--envelope', 'r.asc', '--key', 'keys/operations.private.asc']
    expect(await own.pgveil('unlock', 'answer', ...args)).toMatchObject({ code: 0 })
    expect(await readFile(own.file('answer.txt'))).toEqual(whole)
  } finally {
    await own.remove()
  }
})

testGpg('the list and its signature are what gpg --verify takes', async () => {
  const home = new GpgHome()
  try {
    home.run(['--import'], await readFile(bench.file('keys/signer.public.asc')))
    const path = bench.file(`store/${LABEL}/envelopes.json`)
    const env = { ...process.env, GNUPGHOME: home.path }
    expect(spawnSync('gpg', ['--verify', `${path}.asc`, path], { env }).status).toBe(0)
  } finally {
    home.remove()
  }
})
