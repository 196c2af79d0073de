import { closeSync, openSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { ReadStream } from 'node:tty'
import { claimLabel, commit, manifestSides } from '../../src/backup/commit.ts'
import { loadSealingKeys } from '../../src/backup/keys.ts'
import { FORMAT, type Manifest } from '../../src/backup/manifest.ts'
import { writeSealed } from '../../src/backup/object-writer.ts'
import { run } from '../../src/cli.ts'
// Commands load this and others at the same time, which share modules: jest can do that only with what it has.
import '../../src/commands/opening.ts'
import { loadConfig } from '../../src/config/config.ts'
import { drawSecret, passphraseOf, type Secret } from '../../src/seal/secret.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'

export interface Outcome {
  code: number
  out: string
  err: string
}

/** A directory with pgveil.yaml, keys and a store, and pgveil run in it. */
export class Bench {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  static async open(): Promise<Bench> {
    return new Bench(await mkdtemp(join(tmpdir(), 'pgveil-keys-')))
  }

  file(name: string): string {
    return join(this.path, name)
  }

  async pgveil(...argv: string[]): Promise<Outcome> {
    return this.#run(argv, () => undefined)
  }

  /** Runs on a terminal where somebody types an answer to each question. */
  async typing(answers: string[], ...argv: string[]): Promise<Outcome> {
    const left = [...answers]
    const terminal = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined })
    const answer = (text: string) => {
      if (text.endsWith(': ')) setImmediate(() => terminal.write(`${left.shift() ?? ''}\n`))
    }
    return this.#run(argv, answer, terminal as unknown as ReadStream)
  }

  async #run(
    argv: string[],
    onError: (text: string) => void,
    stdin?: ReadStream,
  ): Promise<Outcome> {
    const out: string[] = []
    const err: string[] = []
    const write = (text: string) => {
      err.push(text)
      onError(text)
    }
    const code = await run(argv, {
      stdout: { write: (text: string) => out.push(text) },
      stderr: { write },
      ...(stdin && { stdin }),
      env: { TERM: 'dumb' },
      cwd: this.path,
      isTTY: { stdout: false, stderr: stdin !== undefined },
      size: () => ({ columns: 80, rows: 24 }),
    })
    return { code, out: out.join(''), err: err.join('') }
  }

  /** Events of a run with --json. */
  async events(...argv: string[]): Promise<{ code: number; events: Record<string, unknown>[] }> {
    const { code, out } = await this.pgveil(...argv, '--json')
    const lines = out.split('\n').filter((line) => line !== '')
    return { code, events: lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
  }

  /** Runs with lines to be read from a file descriptor. */
  async withLines(lines: string[], ...argv: string[]): Promise<Outcome> {
    const path = this.file('lines')
    writeFileSync(path, lines.map((line) => `${line}\n`).join(''))
    const fd = openSync(path, 'r')
    try {
      return await this.pgveil(...argv, '--passphrase-fd', String(fd))
    } finally {
      closeSync(fd)
      await rm(path)
    }
  }

  /** Changes pgveil.yaml. */
  async configure(change: (text: string) => string): Promise<void> {
    const path = this.file('pgveil.yaml')
    await writeFile(path, change(await readFile(path, 'utf8')))
  }

  async store(): Promise<Store> {
    return openStore({ kind: 'directory', path: this.file('store') })
  }

  /** A backup of one sealed object, with the keys that are configured; its secret, to compare with. */
  async backUp(label: string): Promise<Secret> {
    const { backup } = await loadConfig({ flags: {}, env: {}, cwd: this.path, needs: ['backup'] })
    const keys = await loadSealingKeys(backup, {})
    await mkdir(this.file('store'), { recursive: true })
    const store = await this.store()
    const secret = drawSecret()
    const sealing = { passphrase: passphraseOf(secret), level: 1 }
    const name = 'globals.sql.pgp'
    const text = Buffer.from('select 1;\n')
    const object = { ...(await writeSealed(store, `${label}/${name}`, text, sealing)), name }
    const manifest = {
      ...blankManifest(label),
      seal: {
        sides: manifestSides(keys, secret),
        verifier: keys.verifier.map(({ fingerprint }) => fingerprint),
      },
      objects: [object],
    }
    const envelopes = await claimLabel(store, label, keys, secret)
    await commit(store, manifest, { envelopes, plain: new Map() }, keys)
    await store.close()
    return secret
  }

  remove(): Promise<void> {
    return rm(this.path, { recursive: true, force: true })
  }
}

function blankManifest(label: string): Manifest {
  const time = '2026-11-22T02:00:00.000Z'
  return {
    format: FORMAT,
    tool: 'pgveil test',
    label,
    name: label.slice(label.indexOf('Z-') + 2),
    sequence: 1,
    previous: null,
    started: time,
    source: {
      systemIdentifier: null,
      database: 'crm',
      version: '18.1',
      versionNumber: 180_001,
      encoding: 'UTF8',
      collate: 'C',
      ctype: 'C',
      localeProvider: 'c',
      locale: null,
      icuRules: null,
      lcMonetary: null,
      extensions: {},
      roles: [],
      snapshot: '00000003-00000002-1',
      lsn: '0/15E8A40',
      time,
    },
    seal: { sides: [], verifier: [] },
    structure: { major: 18, digest: '0'.repeat(64), counts: {} },
    tables: [],
    sequences: [],
    views: [],
    largeObjects: { count: 0, bytes: 0 },
    warnings: [],
    objects: [],
  }
}
