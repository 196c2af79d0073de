import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { copyFileSync, existsSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { parse, parseAllDocuments } from 'yaml'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import { OPEN_SHELL } from '../../src/backup/restore-shell-open.ts'
import { FILE_SCHEMA } from '../../src/config/layers.ts'
import { EXIT_CODES } from '../../src/errors.ts'
import { MASKS } from '../../src/mask/registry.ts'
import { optionsSchema } from '../../src/mask/rule-schema.ts'
import { parseRules } from '../../src/mask/rules.ts'
import { runPgveil } from '../fixtures/run-pgveil.ts'

// The pages say what the program does: their commands run, their links lead somewhere, their lists are complete.

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGES = ['README.md', 'CHANGELOG.md', ...names('docs').map((name) => join('docs', name))]
const PAGE_TEXT = new Map(PAGES.map((page) => [page, readFileSync(join(ROOT, page), 'utf8')]))

/** Stands in the pages for the label of the latest backup. */
const LABEL = '20261122T020000Z-crm'

/** Every command, as it is called. */
const COMMANDS =
  `copy, backup, list, restore, verify, report, prune, nightly, erase record, erase list, audit verify, audit show,
  rules check, rules schema, masks, keys init, keys check, keys drill, keys rewrap, unlock request,
  unlock answer`.split(/,\s+/)
/** Those that have commands below them. */
const GROUPS = [
  ...new Set(COMMANDS.filter((name) => name.includes(' ')).map((name) => name.split(' ')[0])),
]

/** Where a program is; undefined: it is not here. */
function find(program: string): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(delimiter)
  return directories.map((directory) => join(directory, program)).find((path) => existsSync(path))
}

const ABSENT = ['gpg', 'zstd', 'psql'].filter((program) => find(program) === undefined)
/** Pages whose commands cannot run without these. */
const NEEDY = ['docs/keys.md', 'docs/restore.md']
if (ABSENT.length > 0) {
  process.stderr.write(`\nSKIPPED: ${NEEDY.join(', ')}, without ${ABSENT.join(', ')}\n\n`)
}

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

  test('the pages have the warnings, each on the page of its command', () => {
    const sectionOf = (page: string) =>
      /^## Warnings\n([\s\S]*?)(?:^## |$(?![\s\S]))/m.exec(PAGE_TEXT.get(page) ?? '')?.[1] ?? ''
    const pages = PAGES.filter((page) => sectionOf(page) !== '')
    expect(pages.length).toBeGreaterThan(7)
    const documented = pages.flatMap((page) =>
      firstCells(sectionOf(page)).filter((cell) => cell !== 'code'),
    )
    const linked = [...prose('docs/events.md').matchAll(/\]\((\w[\w-]*\.md)#warnings\)/g)]
    expect(linked.map(([, page]) => `docs/${page}`).sort()).toEqual([...pages].sort())
    const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(ROOT, 'src', name), 'utf8'))
    const codes = sources.flatMap((source) => [
      ...[...source.matchAll(/(?:\bwarn(?:ing)?\(|\bcode:)\s*'([a-z]+(?:-[a-z]+)*)'/g)].map(
        ([, code = '']) => code,
      ),
      // What a right that could not be given is called.
      ...[...source.matchAll(/\bright\?: ((?:'[a-z]+'(?: \| )?)+)/g)].flatMap(([, kinds = '']) =>
        [...kinds.matchAll(/[a-z]+/g)].map(([kind]) => `${kind}-left-out`),
      ),
    ])
    expect([...new Set(documented)].sort()).toEqual([...new Set(codes)].sort())
  })

  test('events.md has the events with their fields, and the phases', () => {
    const source = ['events.ts', 'retention-events.ts', 'daily/event.ts']
      .map((name) => readFileSync(join(ROOT, 'src/report', name), 'utf8'))
      .join('\n')
    const fieldsOf = new Map(
      [...source.matchAll(/interface (\w+) \{\n([\s\S]*?)^\}/gm)].map(
        ([, name = '', body = '']) => [
          name,
          [...body.matchAll(/^ {2,}(\w+)(\??): (.*)$/gm)].map(([, field = '', , type = '']) => ({
            field,
            type,
          })),
        ],
      ),
    )
    /** Fields of an interface and of those it holds, but for events, which have sections of their own. */
    const allFields = (name: string): string[] =>
      (fieldsOf.get(name) ?? []).flatMap(({ field, type }) => {
        const [inner = ''] = /\b(?!\w+Event\b)[A-Z]\w+/.exec(type) ?? []
        const elsewhere = IN_A_ROW.has(inner) || ![name, undefined].includes(SECTION.get(inner))
        const below = fieldsOf.has(inner) && !elsewhere ? allFields(inner) : []
        return [...(field === 'event' ? [] : [field]), ...below]
      })
    // A row of the table names their fields.
    const IN_A_ROW = new Set(['PlannedColumn', 'ErasedRows', 'NightlyStep'])
    // What several events hold has its fields in the section of one.
    const SECTION = new Map([['AuditRun', 'AuditRunsEvent']])
    for (const inner of IN_A_ROW) {
      const row = (PAGE_TEXT.get('docs/events.md') ?? '')
        .split('\n')
        .find((line) =>
          (fieldsOf.get(inner) ?? []).every(({ field }) => line.includes(`\`${field}`)),
        )
      expect({ inner, row }).toEqual({ inner, row: expect.stringMatching(/^\|/) })
    }
    const wanted = [...source.matchAll(/^ {2}event: '([a-z-]+)'$/gm)].map(([line, event = '']) => {
      const [, owner = ''] =
        new RegExp(`interface (\\w+) \\{\\n(?:(?!^\\})[\\s\\S])*?${line}`, 'm').exec(
          source.slice(source.lastIndexOf('interface', source.indexOf(line))),
        ) ?? []
      return [event, [...new Set(allFields(owner))].sort()]
    })
    const sections = (PAGE_TEXT.get('docs/events.md') ?? '').split(/^(?=## )/m)
    const documented = sections.flatMap((section): [string, string[]][] => {
      const event = /^## `([a-z-]+)`\n/.exec(section)?.[1]
      if (event === undefined || event === 'error') return []
      const cells = firstCells(section.replace(/^\| run [\s\S]*/m, ''))
      return [[event, [...new Set(cells.filter((cell) => cell !== 'field'))].sort()]]
    })
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(wanted))
    const [, phases = ''] = /type Phase =\s+([^\n]*(?:\n +\|[^\n]*)*)/.exec(source) ?? []
    const text = PAGE_TEXT.get('docs/events.md') ?? ''
    expect([...phases.matchAll(/'(\w+)'/g)].map(([, phase]) => phase).length).toBeGreaterThan(5)
    for (const [, phase] of phases.matchAll(/'(\w+)'/g)) expect(text).toContain(`\`${phase}\``)
  })

  test('FORMAT.md has the keys of all that is stored as JSON', () => {
    const text = PAGE_TEXT.get('docs/FORMAT.md') ?? ''
    const homes = `backup/manifest.ts backup/envelopes.ts verify/verdict.ts erasure/ledger.ts retention/pruned.ts`
    const keys = homes.split(' ').flatMap((name) => {
      const source = readFileSync(join(ROOT, 'src', name), 'utf8')
      expect(text).toContain(`\`${/FORMAT = '(.*)'/.exec(source)?.[1]}\``)
      return [...source.matchAll(/strictObject\(\{\n([\s\S]*?)^\}/gm)].flatMap(([, body = '']) =>
        [...body.matchAll(/^ {2}(\w+):/gm)].map(([, key = '']) => key),
      )
    })
    expect(keys.length).toBeGreaterThan(70)
    expect(keys.filter((key) => !text.includes(`\`${key}\``))).toEqual([])
  })

  test('configuration.md has the keys of pgveil.yaml, stores.md those of S3', () => {
    const text = PAGE_TEXT.get('docs/configuration.md') ?? ''
    const unwritten = Object.keys(FILE_SCHEMA.shape).filter((key) => !text.includes(`\`${key}\``))
    expect(unwritten).toEqual([])
    const operations = readFileSync(join(ROOT, 'src/config/operations.ts'), 'utf8')
    const places = {
      VERIFY: 'verify',
      RETENTION: 'retention',
      REPORT: 'report',
      MAIL: 'report',
      ERASURE: 'erasure',
    }
    for (const [constant, heading] of Object.entries(places)) {
      const body = new RegExp(
        `const ${constant} = z\\.strictObject\\(\\{([\\s\\S]*?)^\\}\\)`,
        'm',
      ).exec(operations)?.[1]
      const wanted = [...(body ?? '').matchAll(/^ {2}(\w+):/gm)].map(([, key = '']) => key)
      expect(wanted.length).toBeGreaterThan(1)
      const written = firstCells(
        new RegExp(`^## ${heading}\\n([\\s\\S]*?)^## `, 'm').exec(text)?.[1] ?? '',
      )
      expect({ heading, missing: wanted.filter((key) => !written.includes(key)) }).toEqual({
        heading,
        missing: [],
      })
    }
    const source = readFileSync(join(ROOT, 'src/config/store.ts'), 'utf8')
    const [, s3 = ''] = /const S3 = z\.strictObject\(\{([\s\S]*?)^\}\)/m.exec(source) ?? []
    const keys = [...s3.matchAll(/^ {2}(\w+):/gm)].map(([, key = '']) => key)
    const section = /^## S3\n([\s\S]*?)^### /m.exec(PAGE_TEXT.get('docs/stores.md') ?? '')?.[1]
    const documented = firstCells(section ?? '').filter((cell) => cell !== 'key')
    expect(documented.sort()).toEqual(keys.sort())
  })

  test('report.md has the fields of the report', () => {
    const source = readFileSync(join(ROOT, 'src/daily/facts.ts'), 'utf8')
    const body = /^export interface DailyReport \{\n([\s\S]*?)^\}/m.exec(source)?.[1] ?? ''
    const fields = [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, field = '']) => field)
    expect(fields.length).toBeGreaterThan(20)
    const text = PAGE_TEXT.get('docs/report.md') ?? ''
    expect(fields.filter((field) => !text.includes(`\`${field}\``))).toEqual([])
  })

  test('library.md has what the library exports', async () => {
    // The built one: that of sources would need its workers.
    const library = (await import(join(ROOT, 'dist', 'index.js'))) as object
    const page = PAGE_TEXT.get('docs/library.md') ?? ''
    expect(Object.keys(library).filter((name) => !new RegExp(`\\b${name}\\b`).test(page))).toEqual(
      [],
    )
  })

  test('environment variables of the pages are known', () => {
    const homes = ['config/layers.ts', 'verify/commands.ts'] // read, and given to commands
    const known = homes.map((name) => readFileSync(join(ROOT, 'src', name), 'utf8')).join('\n')
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

test('configuration in the pages is configuration', () => {
  const sections = new RegExp(`^(${Object.keys(FILE_SCHEMA.shape).join('|')}):`, 'm')
  const found = blocks(/^yaml( excerpt)?$/).filter(
    ({ text }) => sections.test(text) && !/^(version: 1$|# \.github\/)/m.test(text),
  )
  for (const { page, line, kind, text } of found) {
    const config = parse(text) as Record<string, object>
    // Of what must be named together, an excerpt has what is spoken of.
    if (kind.endsWith('excerpt'))
      config['backup'] = { sides: { a: 'a', b: 'b' }, signer: 's', ...config['backup'] }
    const { success, error } = FILE_SCHEMA.safeParse(config)
    expect({ place: `${page}:${line}`, problems: success ? [] : error.issues }).toEqual({
      place: `${page}:${line}`,
      problems: [],
    })
  }
  expect(found.length).toBeGreaterThan(12)
})

/** As much of a ConfigMap or a CronJob as is looked at. */
interface KubernetesObject {
  kind: string
  data?: Record<string, string>
  spec?: {
    jobTemplate: {
      spec: {
        podFailurePolicy: { rules: { onExitCodes: { values: number[] } }[] }
        template: { spec: { containers: { args: string[] }[] } }
      }
    }
  }
}

describe('files for operations', () => {
  const read = (path: string) => readFileSync(join(ROOT, 'scripts', path), 'utf8')
  const units = readdirSync(join(ROOT, 'scripts/systemd'))
  const manifests = parseAllDocuments(read('kubernetes/pgveil-backup.yaml')).map((document) => {
    expect(document.errors).toEqual([])
    return document.toJS() as KubernetesObject
  })

  test('the commands in them are commands', () => {
    const cron = manifests.find(({ kind }) => kind === 'CronJob')
    const [container] = cron?.spec?.jobTemplate.spec.template.spec.containers ?? []
    const lines = [
      ...units.map((unit) => read(`systemd/${unit}`)),
      read('cron/pgveil'),
      `pgveil ${container?.args.join(' ')}`,
    ]
    const used = lines.flatMap((text) => [...text.matchAll(/(?:\/|&& |^)pgveil ([a-z]+.*)$/gm)])
    expect(used.length).toBeGreaterThan(4)
    for (const [, args = ''] of used) {
      expect(COMMANDS.some((command) => `${args} `.startsWith(`${command} `))).toBe(true)
      expect(args.match(/--\S+/g) ?? []).toEqual(
        (args.match(/--\S+/g) ?? []).filter((option) => ['--quiet', '--json'].includes(option)),
      )
    }
  })

  test('the crontab has five times, a user and a command in each line', () => {
    const jobs = read('cron/pgveil')
      .split('\n')
      .filter((line) => /^[^#]/.test(line) && !/^\w+=/.test(line))
    expect(jobs.length).toBe(2)
    for (const job of jobs)
      expect(job).toMatch(/^(?:[\d*/,-]+ ){5}pgveil cd \/etc\/pgveil && pgveil /)
  })

  test('the ConfigMap holds a configuration; exit codes that are not tried again are known', () => {
    const config = manifests.find(({ kind }) => kind === 'ConfigMap')
    const { error } = FILE_SCHEMA.safeParse(parse(config?.data?.['pgveil.yaml'] ?? ''))
    expect(error).toBeUndefined()
    const cron = manifests.find(({ kind }) => kind === 'CronJob')
    const [rule] = cron?.spec?.jobTemplate.spec.podFailurePolicy.rules ?? []
    const codes = rule?.onExitCodes.values ?? []
    const [, unit = ''] =
      /^RestartPreventExitStatus=(.*)$/m.exec(read('systemd/pgveil-backup.service')) ?? []
    expect(unit.split(' ').map(Number)).toEqual(codes)
    const known: number[] = Object.values(EXIT_CODES)
    expect(codes.filter((code) => !known.includes(code))).toEqual([])
  })

  const analyze = find('systemd-analyze')
  if (!analyze) process.stderr.write('\nSKIPPED: units for systemd, without systemd-analyze\n\n')
  ;(analyze ? test : test.skip)('systemd takes the units', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pgveil-units-'))
    try {
      for (const unit of units) {
        const text = read(`systemd/${unit}`).replace(
          /^ExecStart=\S+/gm,
          `ExecStart=${process.execPath}`,
        )
        writeFileSync(join(directory, unit), text)
      }
      // A template is verified as an instance of it.
      copyFileSync(
        join(directory, 'pgveil-failed@.service'),
        join(directory, 'pgveil-failed@one.service'),
      )
      const paths = readdirSync(directory)
        .filter((unit) => !unit.includes('@.'))
        .map((unit) => join(directory, unit))
      const said = await new Promise<string>((done) =>
        execFile(analyze ?? '', ['verify', ...paths], (error, stdout, stderr) =>
          done(`${error?.code ?? ''}${stdout}${stderr}`),
        ),
      )
      expect(said).toBe('')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

describe('commands', () => {
  let servers: Server[] = []
  let directory = ''
  /** Where the shell is. */
  let place = ''
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
    place = directory
    mkdirSync(join(directory, 'node_modules'))
    symlinkSync(ROOT, join(directory, 'node_modules', 'pgveil'))
    mkdirSync(join(directory, 'bin'))
    const program = join(directory, 'bin', 'pgveil')
    writeFileSync(program, `#!/bin/sh\nexec node '${join(ROOT, 'dist', 'cli.js')}' "$@"\n`)
    chmodSync(program, 0o755)
    // Whom the pages have in mind types passphrases; here keys have none.
    const gpg = join(directory, 'bin', 'gpg')
    const quiet = '--batch --pinentry-mode loopback --passphrase-file /dev/null'
    writeFileSync(gpg, `#!/bin/sh\nexec '${find('gpg')}' ${quiet} "$@"\n`)
    if (find('gpg')) chmodSync(gpg, 0o755)
  })
  afterAll(async () => {
    await shell('gpgconf --kill all')
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
    [...hosts, [LABEL, latestLabel()] as const].reduce(
      (result, [page, real]) => result.replaceAll(page, real),
      text,
    )
  const there = (text: string) =>
    hosts.reduce((result, [page, real]) => result.replaceAll(real, page), text)

  function latestLabel(): string {
    const store = join(place, 'store')
    const labels = existsSync(store)
      ? readdirSync(store).filter((name) => name.endsWith('Z-crm'))
      : []
    return labels.sort().at(-1) ?? LABEL
  }

  /** Runs a line of a page like a shell would; output in the order in which it came. */
  function shell(command: string): Promise<{ output: string; failed: boolean }> {
    const env = {
      PATH: `${join(directory, 'bin')}:${process.env['PATH']}`,
      HOME: directory,
    }
    return new Promise((done) => {
      const went = join(directory, '.went')
      const line = `{ ${here(command)}\n} 2>&1; code=$?; pwd >'${went}'; exit $code`
      execFile('sh', ['-c', line], { cwd: place, env, timeout: 60_000 }, (error, output) => {
        if (existsSync(went)) place = readFileSync(went, 'utf8').trim()
        done({ output: there(output), failed: error !== null })
      })
    })
  }

  /** A line of output as a pattern: numbers and widths of columns may differ, `…` stands for anything. */
  function pattern(line: string): RegExp {
    const parts = line.split('…').map((part) => plain(part).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    return new RegExp(`^${parts.join('.*')}$`)
  }

  function plain(text: string): string {
    return text.replace(/\d+(?:[.,]\d+)*/g, '#').replace(/ +/g, ' ')
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
    if (ABSENT.length > 0 && NEEDY.includes(page)) return
    place = directory
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
    const options = new Set<string>()
    for (const command of ['', ...COMMANDS]) {
      const { stdout } = await runPgveil([...command.split(' ').filter(Boolean), '--help'])
      for (const [option] of stdout.matchAll(/--[a-z-]+/g)) options.add(option)
    }
    const ofScript = new Set([...OPEN_SHELL.matchAll(/--[a-z-]+/g)].map(String))
    const text = [...PAGE_TEXT.values()].join('\n')
    const spans = [...text.matchAll(/`((?:pgveil|--(?=[a-z]))[^`]*)`|^\$ (pgveil [^|>\n]*)/gm)]
    const used = spans.flatMap(([span]) => [...span.matchAll(/(?<=[\s`])--[a-z-]+/g)].map(String))
    expect(used.filter((option) => !options.has(option) && !ofScript.has(option))).toEqual([])
    // One that is on unless told is in the pages by its opposite.
    const isThere = (option: string) =>
      text.includes(option) || text.includes(option.replace('--', '--no-'))
    expect([...options].filter((option) => !isThere(option))).toEqual([])
    const formats = /^`pgveil [a-z]+ \d+`$/ // what the first line of a file says
    const calls = spans.filter(([span]) => !formats.test(span))
    const commands = calls.map(
      ([span]) => new RegExp(`pgveil ((?:(?:${GROUPS.join('|')}) )?[a-z]+)\\b`).exec(span)?.[1],
    )
    const known = [...COMMANDS, ...GROUPS]
    const unknown = commands.filter((command) => command && !known.includes(command))
    expect(unknown).toEqual([])
  })
})
