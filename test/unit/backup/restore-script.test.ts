import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Manifest } from '../../../src/backup/manifest.ts'
import { code } from '../../../src/backup/restore-readme.ts'
import { restoreReadme, restoreScript } from '../../../src/backup/restore-script.ts'
import { forTerminal, localeClause, quoteForShell } from '../../../src/backup/restore-text.ts'
import { HEX, sampleManifest as sample } from './sample-manifest.ts'

const WILD = [
  `it's`,
  'say "hi"',
  '$(touch pwned)',
  '`touch pwned`',
  '$HOME ${HOME}',
  'back\\slash \\n',
  'line\nbreak\n',
  '100 % %s %n',
  '; touch pwned #',
  '\u001b[31mred\u0007',
  'Árvíztűrő 🐘 \u202e',
  '-n',
  '*',
  "'\\''",
]
function table(name: string, columns: string[], segments: string[]): Manifest['tables'][number] {
  const names = { schema: name, name }
  return {
    ...names,
    root: names,
    into: names,
    columns,
    configuration: false,
    bytes: 1,
    rows: 1,
    digest: '',
    segments,
  }
}

let place = ''
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'pgveil-restore-script-'))
})
afterAll(() => rmSync(place, { recursive: true, force: true }))

function sh(script: string, ...args: string[]): string {
  const { stdout, stderr, status } = spawnSync('sh', ['-c', script, 'sh', ...args], {
    cwd: place,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return stdout
}

describe('a word of the shell', () => {
  test.each(WILD)('%j', (text) => {
    expect(sh(`printf '%s' ${quoteForShell(text)}`)).toBe(text)
    expect(readdirSync(place)).toEqual([])
  })
})

describe('restore.sh', () => {
  const wild = sample({
    tables: WILD.map((name, i) => table(name, WILD, [`tables/${i + 1}.1.0.pgp`])),
    views: WILD.map((name) => ({ schema: name, name })),
    objects: [
      ...WILD.map((_, i) => ({
        name: `tables/${i + 1}.1.0.pgp`,
        size: 1,
        sha256: HEX,
        content: 1,
        rows: i,
        digest: '',
      })),
      ...[10, 2, 1].map((n) => ({
        name: `large-objects.${n}.sql.pgp`,
        size: 1,
        sha256: HEX,
        content: 1,
      })),
    ],
  })

  /** The calls that load rows, as the shell reads them: the functions are replaced by ones that print. */
  function calls(manifest: Manifest): string[][] {
    const script = restoreScript(manifest)
    const body = script.slice(script.indexOf('restore_rows() {'), script.indexOf('\nsay() {'))
    const print = `call() { printf '%s\\0' "$@" END; }; rows() { call rows "$@"; }; large_objects() { call lo "$@"; }`
    const words = sh(`${print}\n${body}\nrestore_rows`).split('\0')
    const found: string[][] = [[]]
    for (const word of words) {
      if (word === 'END') found.push([])
      else found.at(-1)?.push(word)
    }
    return found.slice(0, -1)
  }

  test('loads tables whatever they are called, then large objects by number', () => {
    const all = calls(wild)
    const quote = (name: string) => `"${name.replaceAll('"', '""')}"`
    const list = WILD.map(quote).join(', ')
    expect(
      all.slice(0, WILD.length).map(([, object, rows, , copy]) => [object, rows, copy]),
    ).toEqual(
      WILD.map((name, i) => [
        `tables/${i + 1}.1.0.pgp`,
        String(i),
        `COPY ${quote(name)}.${quote(name)} (${list}) FROM STDIN`,
      ]),
    )
    expect(all.slice(WILD.length)).toEqual([
      ['lo', 'large-objects.1.sql.pgp'],
      ['lo', 'large-objects.2.sql.pgp'],
      ['lo', 'large-objects.10.sql.pgp'],
    ])
    for (const [, , , shown] of all.slice(0, WILD.length)) expect(shown).not.toMatch(/\p{C}/u)
    expect(readdirSync(place)).toEqual([])
  })

  test('rows go into the table that the manifest says, without a list where there are no columns', () => {
    const entry = {
      ...table('leaf', [], ['tables/1.1.0.pgp']),
      into: { schema: 's', name: 'root' },
    }
    expect(calls(sample({ tables: [entry] }))).toEqual([
      ['rows', 'tables/1.1.0.pgp', '0', 'leaf.leaf', 'COPY "s"."root" FROM STDIN'],
    ])
  })

  test.each(['sh', 'bash', 'dash'].filter((shell) => spawnSync(shell, ['-c', ':']).status === 0))(
    'is a script for %s',
    (shell) => {
      for (const manifest of [sample(), wild]) {
        const { status, stderr } = spawnSync(shell, ['-n'], { input: restoreScript(manifest) })
        expect([status, String(stderr)]).toEqual([0, ''])
      }
    },
  )

  test('secrets are given to nothing but the printf of the shell itself', () => {
    const lines = restoreScript(sample()).split('\n')
    const uses = lines.filter((line) => /\$\{?(half|passphrase)\b(?!_)/.test(line))
    expect(uses.length).toBeGreaterThan(5)
    for (const line of uses) {
      expect(line).toMatch(
        /^ *(\[ "\$\()?printf '%s(\\n)?' "\$(half|passphrase)" \||^ *half=\$\(printf '%s' "\$half" \||^ *passphrase=[$a-z]+$|^ *if \[ -n "\$half" \]; then$/,
      )
    }
    expect(lines.join('\n')).not.toMatch(/export[^\n]*(half|passphrase)/)
    // A here-document is a file in some shells: none holds more than the report of gpg and the usage.
    expect(lines.filter((line) => line.includes('<<'))).toEqual([`  cat <<'END'`, '  done <<END'])
  })

  test.each([
    ['c', 14, `LC_COLLATE 'x' LC_CTYPE 'y'`],
    ['c', 15, `LC_COLLATE 'x' LC_CTYPE 'y' LOCALE_PROVIDER libc`],
    ['i', 14, `LC_COLLATE 'x' LC_CTYPE 'y'`],
    ['i', 15, `LC_COLLATE 'x' LC_CTYPE 'y' LOCALE_PROVIDER icu ICU_LOCALE 'z'`],
    ['i', 16, `LC_COLLATE 'x' LC_CTYPE 'y' LOCALE_PROVIDER icu ICU_LOCALE 'z' ICU_RULES '&a < b'`],
    ['b', 16, `LC_COLLATE 'x' LC_CTYPE 'y' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'z'`],
  ] as const)('locale provider %s on %i', (localeProvider, major, clause) => {
    const own = { collate: 'x', ctype: 'y', locale: 'z', icuRules: '&a < b' }
    expect(localeClause({ ...sample().source, ...own, localeProvider }, major)).toBe(clause)
  })

  test('a terminal gets nothing to obey', () => {
    expect(forTerminal('a\u001b[31mb\nc\u202ed')).toBe('a?[31mb?c?d')
  })
})

describe('RESTORE.md', () => {
  test('says what a person needs', () => {
    const text = restoreReadme(sample())
    for (const part of [
      '20261122T020000Z-crm',
      'A'.repeat(40),
      'C'.repeat(40),
      'envelopes/offline.asc',
      'PostgreSQL 18 or newer',
      '`citext`',
      '`crm_app`',
      `LC_COLLATE '\\''hu_HU.UTF-8'\\''`,
      '"$half_1$half_2"',
      'gpg --homedir "$check" --verify manifest.json.asc manifest.json',
    ]) {
      expect(text).toContain(part)
    }
  })

  test('one side has the whole passphrase', () => {
    const { sides } = sample().seal
    const text = restoreReadme(sample({ seal: { sides: sides.slice(0, 1), verifier: [] } }))
    expect(text).toContain('This backup has one side')
    expect(text).not.toContain('half_2')
    expect(text).not.toContain('offline')
  })

  test('its blocks of commands are commands', () => {
    const blocks = [...restoreReadme(sample()).matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
    expect(blocks).toHaveLength(5)
    for (const [, block] of blocks) {
      expect(spawnSync('sh', ['-n'], { input: block }).status).toBe(0)
    }
  })

  test.each(WILD)('nothing gets out of its line: %j', (text) => {
    const { source } = sample()
    const wild = {
      ...source,
      database: text,
      version: text,
      roles: [text],
      extensions: { [text]: '1' },
    }
    const lines = restoreReadme(
      sample({ source: wild, warnings: [{ code: 'x', message: text }] }),
    ).split('\n')
    const plain = restoreReadme(sample({ warnings: [{ code: 'x', message: 'x' }] })).split('\n')
    expect(lines).toHaveLength(plain.length)
    expect(lines.filter((line) => line.startsWith('```'))).toHaveLength(10)
  })

  test.each([
    ['plain', '`plain`'],
    ['a`b', '`` a`b ``'],
    ['a``` b', '```` a``` b ````'],
    ['a\nb\u001b', '`a\\u{a}b\\u{1b}`'],
  ])('code %j', (text, expected) => {
    expect(code(text)).toBe(expected)
  })
})
