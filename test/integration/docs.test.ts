import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { existsSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import { EXIT_CODES } from '../../src/errors.ts'
import { MASKS } from '../../src/mask/registry.ts'
import { optionsSchema } from '../../src/mask/rule-schema.ts'
import { parseRules } from '../../src/mask/rules.ts'

// The pages say what the program does: their commands run, their links lead somewhere, their lists are complete.

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGES = ['README.md', 'CHANGELOG.md', ...names('docs').map((name) => join('docs', name))]
const PAGE_TEXT = new Map(PAGES.map((page) => [page, readFileSync(join(ROOT, page), 'utf8')]))

/** The database that the pages speak of. */
const CRM = `
  CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL);
  CREATE TABLE contacts (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL, email text UNIQUE, phone varchar(32), birth_date date,
    zip text, city text, street text, country text REFERENCES countries, notes text,
    created_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE orders (
    number text PRIMARY KEY, contact_id int NOT NULL REFERENCES contacts, delivery_email text,
    total numeric(10, 2) NOT NULL, ordered_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE sessions (token text PRIMARY KEY, contact_id int REFERENCES contacts);
  INSERT INTO countries VALUES ('HU', 'Hungary'), ('AT', 'Austria');
  INSERT INTO contacts (name, email, phone, birth_date, zip, city, street, country, notes)
    SELECT 'Kovács Anna', 'anna' || i || '@cegem.hu', '+36 20 ' || 1000000 + i, date '1980-01-01' + i, '6720',
      'Szeged', 'Kárász utca ' || i, 'HU', 'called on Monday' FROM generate_series(1, 1000) i;
  INSERT INTO orders SELECT 'R-' || 100000 + i, 1 + i % 1000, 'anna' || 1 + i % 1000 || '@cegem.hu', i
    FROM generate_series(1, 2500) i;
  INSERT INTO sessions SELECT 't' || i, i FROM generate_series(1, 10) i;
  ANALYZE`

function names(folder: string): string[] {
  return readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.md'))
}

interface Block {
  page: string
  /** Line in the page, from 1. */
  line: number
  /** What stands behind the fence, like `yaml tables`. */
  kind: string
  text: string
}

/** Fenced code, in the order of the pages. */
function blocks(kind: RegExp, pages: readonly string[] = PAGES): Block[] {
  return pages.flatMap((page) => {
    const source = PAGE_TEXT.get(page) ?? ''
    return [...source.matchAll(/^```(\w.*)\n([\s\S]*?)^```$/gm)]
      .map(({ 1: info = '', 2: text = '', index }) => ({
        page,
        line: source.slice(0, index).split('\n').length,
        kind: info,
        text,
      }))
      .filter((block) => kind.test(block.kind))
  })
}

/** A page without its fenced code. */
function prose(page: string): string {
  return (PAGE_TEXT.get(page) ?? '').replace(/^```[\s\S]*?^```$/gm, '')
}

/** GitHub's anchor of a heading. */
function anchor(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-')
}

describe('links', () => {
  test.each(PAGES)('of %s lead somewhere', (page) => {
    const dead = [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = '']) => link)
      .filter((link) => !link.startsWith('https:') && !leadsSomewhere(page, link))
    expect(dead).toEqual([])
  })

  function leadsSomewhere(page: string, link: string): boolean {
    const [path = '', fragment] = link.split('#')
    const target = path === '' ? page : relative(ROOT, resolve(ROOT, dirname(page), path))
    if (!existsSync(join(ROOT, target))) return false
    if (fragment === undefined) return true
    const headings = [...prose(target).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => anchor(text))
    return headings.includes(fragment)
  }

  test('the README leads to every page', () => {
    const missing = PAGES.filter((page) => !PAGE_TEXT.get('README.md')?.includes(`](${page}`))
    expect(missing).toEqual(['README.md'])
  })
})

/** First cells of the rows of all tables in a text, without backticks. */
function firstCells(text: string): string[] {
  return [...text.matchAll(/^\| `?([^|`]+?)`? +\|/gm)]
    .map(([, cell = '']) => cell)
    .filter((cell) => !/^-+$/.test(cell))
}

describe('lists are complete', () => {
  test('masks.md has a section for each mask, with its options', () => {
    const page = (PAGE_TEXT.get('docs/masks.md') ?? '').split(/^(?=#{2,3} )/m)
    const documented = page.flatMap((section): [string, string[]][] => {
      const name = /^### (\S+)\n/.exec(section)?.[1]
      return name ? [[name, firstCells(section).filter((cell) => cell !== 'option')]] : []
    })
    const masks = [...MASKS.values()].map((mask): [string, string[]] => [
      mask.name,
      Object.keys(optionsSchema(mask).properties ?? {}),
    ])
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(masks))
  })

  test('exit-codes.md has the exit codes', () => {
    const rows = [...prose('docs/exit-codes.md').matchAll(/^\| (\d+) +\| `(\w+)` /gm)]
    expect(Object.fromEntries(rows.map(([, code, kind]) => [kind, Number(code)]))).toEqual(
      EXIT_CODES,
    )
  })

  test('copy.md has the warnings', () => {
    const section = /^## Warnings\n([\s\S]*?)^## /m.exec(PAGE_TEXT.get('docs/copy.md') ?? '')?.[1]
    const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(ROOT, 'src', name), 'utf8'))
    const codes = sources.flatMap((source) =>
      [...source.matchAll(/(?:warn\(|\bcode:)\s*'([a-z]+(?:-[a-z]+)+)'/g)].map(
        ([, code = '']) => code,
      ),
    )
    const documented = firstCells(section ?? '').filter((cell) => cell !== 'code')
    expect(documented.sort()).toEqual([...new Set(codes)].sort())
  })

  test('environment variables of the pages are known', () => {
    const known = readFileSync(join(ROOT, 'src/config/layers.ts'), 'utf8')
    const used = [...PAGE_TEXT.values()].join('\n').match(/PGVEIL_[A-Z_]*[A-Z]/g) ?? []
    expect(used.filter((name) => !known.includes(name))).toEqual([])
  })

  test('npm scripts of the pages are there', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    const used = [...[...PAGE_TEXT.values()].join('\n').matchAll(/npm run (?:-s )?([\w:]+)/g)]
    expect(used.map(([, name = '']) => name).filter((name) => !(name in scripts))).toEqual([])
  })
})

test('rules in the pages are rules', () => {
  const indent = (text: string, by: string) => text.replace(/^(?=.)/gm, by)
  for (const { page, line, kind, text } of blocks(/^yaml( |$)/)) {
    const whole = kind === 'yaml tables' ? `version: 1\ntables:\n${indent(text, '  ')}` : text
    const rules =
      kind === 'yaml columns' ? `version: 1\ntables:\n  t:\n${indent(text, '    ')}` : whole
    if (!/^version: 1$/m.test(rules) || text.startsWith('# masking-rules/wrong')) continue
    const model = /like ([\w.]+)/.exec(rules)?.[1]
    const complete = model && !rules.includes(`${model}:`) ? `${rules}  ${model}: keep\n` : rules
    expect(parseRules(complete, `${page}:${line}`, MASKS).tables.length).toBeGreaterThan(0)
  }
})

describe('commands', () => {
  let servers: Server[] = []
  let directory = ''
  /** Hosts of the pages → those of this run. */
  let hosts: [string, string][] = []

  beforeAll(async () => {
    servers = await Promise.all([startPostgres(), startPostgres()])
    const [source, target] = servers as [Server, Server]
    hosts = [
      ['db.internal:5432', `127.0.0.1:${source.port}`],
      ['dev.internal:5432', `127.0.0.1:${target.port}`],
    ]
    await execute(source.url, 'CREATE DATABASE crm')
    await execute(source.url.replace(/postgres$/, 'crm'), CRM)
    await execute(target.url, 'CREATE DATABASE precious')
    for (const { text } of blocks(/^sql$/)) {
      if (text.startsWith('-- on the source')) await execute(source.url, text)
      if (text.startsWith('-- on the target')) await execute(target.url, text)
    }
    directory = mkdtempSync(join(tmpdir(), 'pgveil-docs-'))
    mkdirSync(join(directory, 'node_modules'))
    symlinkSync(ROOT, join(directory, 'node_modules', 'pgveil'))
    mkdirSync(join(directory, 'bin'))
    const program = join(directory, 'bin', 'pgveil')
    writeFileSync(program, `#!/bin/sh\nexec node '${join(ROOT, 'dist', 'cli.js')}' "$@"\n`)
    chmodSync(program, 0o755)
  })
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()))
    rmSync(directory, { recursive: true, force: true })
  })

  async function execute(url: string, sql: string): Promise<void> {
    const client = new pg.Client(url)
    await client.connect()
    await client.query(sql)
    await client.end()
  }

  const here = (text: string) =>
    hosts.reduce((result, [page, real]) => result.replaceAll(page, real), text)
  const there = (text: string) =>
    hosts.reduce((result, [page, real]) => result.replaceAll(real, page), text)

  /** Runs a line of a page like a shell would; output in the order in which it came. */
  function shell(command: string): Promise<{ output: string; failed: boolean }> {
    const env = {
      PATH: `${join(directory, 'bin')}:${process.env['PATH']}`,
      HOME: directory,
    }
    return new Promise((done) => {
      const line = `{ ${here(command)}\n} 2>&1`
      execFile('sh', ['-c', line], { cwd: directory, env, timeout: 30_000 }, (error, output) =>
        done({ output: there(output), failed: error !== null }),
      )
    })
  }

  /** A line of output as a pattern: numbers and widths of columns may differ, `…` stands for anything. */
  function pattern(line: string): RegExp {
    const parts = line.split('…').map((part) => plain(part).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    return new RegExp(`^${parts.join('.*')}$`)
  }

  function plain(text: string): string {
    return text.replace(/\d[\d.,]*/g, '#').replace(/ +/g, ' ')
  }

  function missingLines(wanted: readonly string[], output: string): string[] {
    const lines = output.split('\n').map((line) => plain(line).trim())
    let at = 0
    return wanted.filter((line) => {
      const found = lines.findIndex((got, i) => i >= at && pattern(line.trim()).test(got))
      if (found >= 0) at = found + 1
      return found < 0
    })
  }

  const runnable = ['README.md', ...PAGES.filter((page) => page.startsWith('docs'))]
  const files = /^(?:#|\/\/) (\S+\.(?:ya?ml|m?js))\n/

  test.each(runnable)('%s', async (page) => {
    for (const { line, text } of blocks(/^(console|yaml|js)$/, [page])) {
      const name = files.exec(text)?.[1]
      if (name) {
        mkdirSync(dirname(join(directory, name)), { recursive: true })
        writeFileSync(join(directory, name), here(text))
      }
      if (!text.startsWith('$ ') || /^\$ (npm|docker|git) /.test(text)) continue
      for (const [command = '', ...wanted] of text
        .slice(2)
        .split(/^\$ /m)
        .map((part) => part.trimEnd().split('\n'))) {
        const { output, failed } = await shell(command)
        const told = `${page}:${line}: $ ${command}\n${output}`
        expect({ told, missing: missingLines(wanted, output) }).toEqual({ told, missing: [] })
        expect({ told, failed }).toEqual({
          told,
          failed: wanted.some((one) => one.startsWith('pgveil: error:')),
        })
      }
    }
  })

  test('options of the pages are options, and every option is in a page', async () => {
    const helps = await Promise.all(
      ['--help', 'copy --help', 'rules check --help', 'rules schema --help', 'masks --help'].map(
        (args) => shell(`pgveil ${args}`),
      ),
    )
    const options = new Set(
      helps.flatMap(({ output }) => [...output.matchAll(/--[a-z-]+/g)].map(String)),
    )
    const text = [...PAGE_TEXT.values()].join('\n')
    const spans = [...text.matchAll(/`((?:pgveil|--)[^`]*)`|^\$ (pgveil [^|>\n]*)/gm)]
    const used = spans.flatMap(([span]) => [...span.matchAll(/(?<=[\s`])--[a-z-]+/g)].map(String))
    expect(used.filter((option) => !options.has(option))).toEqual([])
    expect([...options].filter((option) => !text.includes(option))).toEqual([])
    const commands = spans.map(([span]) => /pgveil ((?:rules )?[a-z]+)\b/.exec(span)?.[1])
    const unknown = commands.filter(
      (command) => command && !helps.some(({ output }) => output.includes(`pgveil ${command}`)),
    )
    expect(unknown).toEqual([])
  })
})
