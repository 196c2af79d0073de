import { anchorLedger } from '../erasure/anchor.ts'
import { Failure } from '../errors.ts'
import type { Run } from '../jobs/run.ts'
import { together } from '../jobs/together.ts'
import { serverFailure } from '../postgres/connect.ts'
import { readStructure } from '../postgres/structure-facts.ts'
import type { BackupReport } from '../report/events.ts'
import { drawSecret, passphraseOf, wipe, type Secret } from '../seal/secret.ts'
import { largeObjectRanges } from '../source/large-objects.ts'
import { readDatabase, readSequences, sequenceSql } from '../source/settings.ts'
import { joiningOf } from '../source/snapshot.ts'
import { shareBandwidth } from '../store/bandwidth.ts'
import { lookAgain } from './chain.ts'
import { claimLabel, commit, manifestSides, plainObject } from './commit.ts'
import type { Envelope } from './envelopes.ts'
import { DEFINITIONS, FORMAT, type Manifest, type ManifestSource } from './manifest.ts'
import { writeSealed, type WrittenObject } from './object-writer.ts'
import type { Prepared } from './prepare.ts'
import { restoreReadme, restoreScript } from './restore-script.ts'
import type { BackupOptions } from './run.ts'
import { sealEverything, type BackupPool, type Sealed } from './sealing.ts'
import { structureKeyOf } from './secrets.ts'
import { workerSecret } from './worker-secret.ts'

/**
 * Stores everything, and at last the manifest.
 *
 * @throws Failure `source`, `store`; the reason of the run's signal
 */
export async function sealAndCommit(
  options: BackupOptions,
  prepared: Prepared,
  pool: BackupPool,
  run: Run,
): Promise<BackupReport> {
  const { snapshot, store, keys } = prepared
  const secret = drawSecret()
  try {
    // Workers get ready meanwhile.
    const begun = together([claim(prepared, secret), connectPool(options, prepared, pool, secret)])
    const [envelopes] = await run.during(begun)
    const sealed = await run.phase('rows', () =>
      snapshot.during(sealRows(options, prepared, secret, pool, run)),
    )
    const [{ manifest, plain }] = await run.phase('checks', () =>
      together([writeRest(options, prepared, secret, sealed, run), pool.close()]),
    )
    // Rows may be vacuumed again. The session stays: it holds the lock until the chain has its new end.
    await run.during(snapshot.client.query('COMMIT').catch(() => {}))
    // From here on a signal comes too late: the manifest is there, or it is not.
    const follows = () => checkFollows(prepared, manifest)
    const beside = { envelopes, plain }
    await run.uninterrupted('commit', () => commit(store, manifest, beside, keys, follows))
    return report(prepared, manifest, sealed, run)
  } finally {
    wipe(secret)
  }
}

/** The manifest names the backup that it follows: meanwhile that must not have got another one behind it. */
async function checkFollows(prepared: Prepared, { previous, name }: Manifest): Promise<void> {
  const last = await lookAgain(prepared)
  if (last?.label === previous?.label) return
  throw new Failure('refused', `another backup of ${name} came first: ${last?.label}`, {
    hint: 'it is newer by seconds; where both are wanted, run them one after the other',
  })
}

/** A run that is refused its label has nothing to remove there; one that cannot tell has. */
async function claim(prepared: Prepared, secret: Secret): Promise<Envelope[]> {
  const { store, label, keys } = prepared
  prepared.claimed = true
  try {
    return await claimLabel(store, label, keys, secret)
  } catch (error) {
    if (error instanceof Failure && error.kind === 'refused') prepared.claimed = false
    throw error
  }
}

/** Workers are idle afterwards, until their first jobs come. */
async function connectPool(
  { store, jobs, backup }: BackupOptions,
  { source, snapshot }: Prepared,
  pool: BackupPool,
  secret: Secret,
): Promise<void> {
  const bandwidth = shareBandwidth(store, jobs)
  pool.connect({ source, ...joiningOf(snapshot), store: bandwidth, level: backup.level })
  const told = workerSecret(secret)
  await pool.tell(told).finally(() => told.fill(0))
}

/** What workers have stored, and what was read and stored beside it. */
type SealedRows = Sealed & Pick<Manifest, 'structure' | 'largeObjects'>

/** Bytes of large objects in one object of the store. */
const LARGE_OBJECT_BYTES = 128 * 1024 * 1024

async function sealRows(
  options: BackupOptions,
  prepared: Prepared,
  secret: Secret,
  pool: BackupPool,
  run: Run,
): Promise<SealedRows> {
  const { snapshot, catalog, tables, dumper, label, globals } = prepared
  const { major } = snapshot.facts
  const ranges =
    catalog.largeObjects > 0
      ? await asked(prepared, largeObjectRanges(snapshot.client, LARGE_OBJECT_BYTES))
      : []
  const { emit, warn } = run
  const request = {
    pool,
    jobs: options.jobs,
    label,
    tables,
    dumper,
    largeObjects: ranges,
    emit,
    warn,
  }
  const beside = withPassphrase(options, prepared, secret, async (write) => {
    const reading = readStructure(snapshot.client, major, structureKeyOf(secret))
    const [{ facts, definitions }, roles] = await together([
      asked(prepared, reading).then(async ({ facts, text }) => ({
        facts,
        definitions: await write(DEFINITIONS, text),
      })),
      write('globals.sql.pgp', globals.sql),
    ])
    return { facts, objects: [definitions, roles] }
  })
  // Meanwhile this process, and the session that holds the snapshot, have nothing else to do.
  const [sealed, { facts, objects }] = await Promise.all([
    sealEverything(request),
    run.during(beside),
  ])
  await asked(prepared, snapshot.checkSeen())
  return {
    ...sealed,
    objects: [...sealed.objects, ...objects],
    structure: facts,
    largeObjects: {
      count: ranges.reduce((sum, { objects }) => sum + objects, 0),
      bytes: ranges.reduce((sum, { bytes }) => sum + bytes, 0),
    },
  }
}

/** What a question to the source failed with is the source's failure. */
async function asked<T>({ source }: Prepared, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw serverFailure('source', `read ${source.label}`, error)
  }
}

/**
 * Has small objects sealed and stored by this process. Their passphrase is taken at once, and lives until `work` is over:
 * where the run fails meanwhile, the secret is wiped before.
 */
async function withPassphrase<T>(
  { backup: { level } }: BackupOptions,
  { store, label }: Prepared,
  secret: Secret,
  work: (write: (name: string, text: string) => Promise<WrittenObject>) => Promise<T>,
): Promise<T> {
  const passphrase = passphraseOf(secret)
  try {
    return await work(async (name, text) => {
      const path = `${label}/${name}`
      return { ...(await writeSealed(store, path, Buffer.from(text), { passphrase, level })), name }
    })
  } finally {
    passphrase.fill(0)
  }
}

/** Stores what is known only when all rows are read; makes the manifest, which lists everything. */
async function writeRest(
  options: BackupOptions,
  prepared: Prepared,
  secret: Secret,
  sealed: SealedRows,
  run: Run,
): Promise<{ manifest: Manifest; plain: ReadonlyMap<string, Buffer> }> {
  const { snapshot, catalog, store, label, keys } = prepared
  const storing = withPassphrase(options, prepared, secret, async (write) => {
    const sequences = await asked(prepared, readSequences(snapshot.client, catalog))
    const database = await asked(prepared, readDatabase(snapshot.client))
    return {
      sequences,
      settings: await write('settings.sql.pgp', sequenceSql(sequences) + database),
    }
  })
  const [{ sequences, settings }, previous] = await together([storing, lookAgain(prepared)])
  const known = previous?.manifest.erasures
  const before = previous && known && { label: previous.label, head: known }
  const { warn } = run
  const erasures = await anchorLedger({ store, signers: keys.signers, before, warn })
  const manifest: Manifest = {
    format: FORMAT,
    tool: options.tool,
    label,
    name: prepared.name,
    sequence: (previous?.manifest.sequence ?? 0) + 1,
    previous: previous ? { label: previous.label, sha256: previous.digest } : null,
    started: prepared.facts.time,
    source: manifestSource(prepared),
    seal: {
      sides: manifestSides(keys, secret),
      verifier: keys.verifier.map(({ fingerprint }) => fingerprint),
    },
    structure: sealed.structure,
    tables: sealed.tables,
    sequences,
    views: catalog.materializedViews.map(({ schema, name }) => ({ schema, name })),
    largeObjects: sealed.largeObjects,
    ...(erasures && { erasures }),
    warnings: run.warnings.map(({ code, message }) => ({ code, message })),
    objects: [...sealed.objects, settings].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  }
  const plain = new Map([
    ['RESTORE.md', Buffer.from(restoreReadme(manifest))],
    ['restore.sh', Buffer.from(restoreScript(manifest))],
  ])
  manifest.objects.push(...[...plain].map(([name, bytes]) => plainObject(name, bytes)))
  return { manifest, plain }
}

function manifestSource({ snapshot, facts, catalog, globals }: Prepared): ManifestSource {
  const server = snapshot.facts
  return {
    systemIdentifier: server.systemIdentifier ?? null,
    database: server.database,
    version: server.version,
    versionNumber: server.versionNumber,
    encoding: server.encoding,
    collate: server.collate,
    ctype: server.ctype,
    localeProvider: server.localeProvider,
    locale: server.locale ?? null,
    icuRules: server.icuRules ?? null,
    lcMonetary: facts.lcMonetary,
    extensions: Object.fromEntries(catalog.extensions),
    roles: globals.roles,
    snapshot: snapshot.id,
    lsn: facts.lsn,
    time: facts.time,
  }
}

function report(prepared: Prepared, manifest: Manifest, sealed: Sealed, run: Run): BackupReport {
  const { source, store, label } = prepared
  const result: BackupReport = {
    label,
    store: store.label,
    source: source.label,
    sequence: manifest.sequence,
    tables: sealed.events,
    rows: sealed.events.reduce((sum, { rows }) => sum + rows, 0),
    bytes: sealed.events.reduce((sum, { bytes }) => sum + bytes, 0),
    objects: manifest.objects.length,
    stored: manifest.objects.reduce((sum, { size }) => sum + size, 0),
    seconds: run.seconds,
    phases: run.phases,
    warnings: run.warnings,
  }
  run.emit({ event: 'backup', report: result })
  return result
}
