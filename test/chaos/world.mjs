import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import { startS3 } from '../fixtures/s3-stand-in.mjs'
import { startPgveil } from './run.mjs'

const ROWS = 60_000
const BUCKET = 'chaos'
const GENERATE = new URL('../../dist/seal/generate.js', import.meta.url).href

/** @typedef {'directory' | 's3'} Kind */
/** @typedef {{ kind: Kind, prefix: string, config: string }} Place a store, and a configuration that names it */

/** Two servers, a bucket, keys, and what is asked of them. */
export class World {
  source
  target
  s3
  directory = mkdtempSync(join(tmpdir(), 'pgveil-chaos-'))
  /** Digest of the source's rows. */
  rows = ''
  #places = 0

  /**
   * @param {Awaited<ReturnType<typeof startPostgres>>} source
   * @param {Awaited<ReturnType<typeof startPostgres>>} target
   * @param {Awaited<ReturnType<typeof startS3>>} s3
   */
  constructor(source, target, s3) {
    this.source = source
    this.target = target
    this.s3 = s3
  }

  static async open() {
    const [source, target, s3] = await Promise.all([
      startPostgres({ major: 14 }),
      startPostgres({ major: 14 }),
      startS3({ buckets: { [BUCKET]: {} } }),
    ])
    const world = new World(source, target, s3)
    await world.#makeKeys()
    await world.#fill()
    return world
  }

  async #fill() {
    await this.query('source', 'postgres', 'CREATE DATABASE crm')
    await this.query(
      'source',
      'crm',
      `CREATE TABLE contact (id int PRIMARY KEY, name text);
       INSERT INTO contact SELECT i, sha512(i::text::bytea)::text || sha512((-i)::text::bytea)
         FROM generate_series(1, ${ROWS}) i;
       CREATE TABLE note (id int PRIMARY KEY, contact int REFERENCES contact, text text);
       INSERT INTO note SELECT i, i, 'note ' || i FROM generate_series(1, 5000) i;
       CREATE INDEX ON note (text);
       SELECT lo_from_bytea(0, repeat('large', 100000)::bytea)`,
    )
    this.rows = await this.digest('source', 'crm')
  }

  async close() {
    await Promise.all([this.source.stop(), this.target.stop(), this.s3.close()])
    rmSync(this.directory, { recursive: true, force: true })
  }

  async #makeKeys() {
    const { generateKey } = await import(GENERATE)
    for (const name of ['operations', 'offline', 'verifier', 'signer']) {
      const use = name === 'signer' ? 'sign' : 'encrypt'
      const { publicKey, privateKey } = await generateKey({ name: `chaos ${name}`, use })
      writeFileSync(this.key(name, 'public'), publicKey)
      writeFileSync(this.key(name, 'private'), privateKey, { mode: 0o600 })
    }
  }

  /** @param {string} name @param {'public' | 'private'} part */
  key(name, part) {
    return join(this.directory, `${name}.${part}.asc`)
  }

  /** An empty store. @param {Kind} kind @returns {Place} */
  place(kind) {
    const prefix = `place-${++this.#places}`
    const { endpoint, region } = this.s3
    mkdirSync(join(this.directory, prefix))
    const s3 = { bucket: BUCKET, prefix, region, endpoint, pathStyle: true, stallSeconds: 5 }
    const config = {
      source: this.url('source', 'crm'),
      store: kind === 's3' ? { s3 } : { directory: join(this.directory, prefix) },
      backup: {
        sides: {
          operations: this.key('operations', 'public'),
          offline: this.key('offline', 'public'),
        },
        verifier: this.key('verifier', 'public'),
        signer: this.key('signer', 'public'),
        signingKey: this.key('signer', 'private'),
      },
      jobs: 2,
    }
    const path = join(this.directory, `${prefix}.yaml`)
    writeFileSync(path, JSON.stringify(config))
    return { kind, prefix, config: path }
  }

  /** Names of all that lies in a store. @param {Place} place @returns {string[]} */
  names({ kind, prefix }) {
    if (kind === 'directory') {
      const path = join(this.directory, prefix)
      return readdirSync(path, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    }
    const bucket = /** @type {NonNullable<ReturnType<typeof this.s3.buckets.get>>} */ (
      this.s3.buckets.get(BUCKET)
    )
    const uploads = Array.from(bucket.uploads.values(), ({ key }) => `${key} (upload)`)
    return [...bucket.objects.keys(), ...uploads]
      .filter((name) => name.startsWith(`${prefix}/`))
      .map((name) => name.slice(prefix.length + 1))
  }

  /** @param {'source' | 'target'} side @param {string} database */
  url(side, database) {
    return this[side].url.replace(/postgres$/, database)
  }

  /** @param {'source' | 'target'} side @param {string} database @param {string} sql @returns {Promise<any[]>} */
  async query(side, database, sql) {
    const client = new pg.Client(this.url(side, database))
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query(sql)).rows
    } finally {
      await client.end().catch(() => {})
    }
  }

  /** Of all rows, whatever their order. @param {'source' | 'target'} side @param {string} database */
  async digest(side, database) {
    const [row] = await this.query(
      side,
      database,
      `SELECT (SELECT count(*) || ' ' || sum(hashtextextended(c::text, 1)) FROM contact c) || ' ' ||
              (SELECT count(*) || ' ' || sum(hashtextextended(n::text, 1)) FROM note n) || ' ' ||
              (SELECT string_agg(md5(lo_get(oid)), ' ' ORDER BY oid) FROM pg_largeobject_metadata) || ' ' ||
              (SELECT count(*) FROM pg_constraint WHERE conrelid::regclass::text IN ('contact', 'note')) AS digest`,
    )
    return String(row.digest)
  }

  /** @param {Place} place @param {string[]} args command and further arguments */
  start({ config }, args) {
    const [command = '', ...rest] = args
    return startPgveil([command, '--config', config, ...rest], this.directory, {
      AWS_ACCESS_KEY_ID: this.s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: this.s3.secretAccessKey,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    })
  }

  /** @param {Place} place */
  startBackup(place) {
    return this.start(place, ['backup'])
  }

  /** @param {Place} place @param {string} label @param {string[]} more */
  startRestore(place, label, more = []) {
    const keys = ['operations', 'offline'].flatMap((name) => ['--key', this.key(name, 'private')])
    const to = this.url('target', 'restored')
    return this.start(place, ['restore', '--label', label, '--target', to, ...keys, ...more])
  }

  /** Databases on the target that restores have made. @returns {Promise<string[]>} */
  async restored() {
    const sql = `SELECT datname AS name FROM pg_database WHERE datname LIKE 'restored%' ORDER BY 1`
    return (await this.query('target', 'postgres', sql)).map(({ name }) => name)
  }
}
