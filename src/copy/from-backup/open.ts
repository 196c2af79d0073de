import { findBackup, type Backup } from '../../backup/backups.ts'
import { objectOf } from '../../backup/manifest.ts'
import { readSealedWhole } from '../../backup/object-reader.ts'
import type { OpenOptions } from '../../backup/restore-open.ts'
import { openSecret } from '../../backup/unlock.ts'
import type { Erasures } from '../../erasure/replay.ts'
import type { Run } from '../../jobs/run.ts'
import type { QualifiedName } from '../../postgres/identifiers.ts'
import { nameOf } from '../../postgres/statement-names.ts'
import { cutStatements, type Statement } from '../../postgres/statements.ts'
import { passphraseOf, type Secret } from '../../seal/secret.ts'
import { planStructure } from '../../sink/structure-plan.ts'
import { findLiterals, type Literal } from '../../source/literals.ts'
import { openStore } from '../../store/open.ts'
import type { Structure } from '../structure.ts'
import { openLedger, type ErasureOptions } from './erasures.ts'

/** A backup that is open, and what of its structure goes into a masked copy. */
export interface OpenedBackup {
  backup: Backup
  secret: Secret
  structure: Structure
  /** Foreign tables of the source, which stay behind. */
  foreign: QualifiedName[]
  /** Persons who must not come back. */
  erasures: Erasures | undefined
}

/**
 * Finds a backup, checks signature, envelopes, presence and sizes, opens it, and reads its structure; the store is
 * closed again. Roles and settings stay sealed.
 *
 * @returns the secret, and the key of the erasures, are the caller's to wipe
 * @throws Failure `usage`, `integrity`, `key`, `store`
 */
export async function openForCopy(
  options: OpenOptions & ErasureOptions,
  run: Run,
): Promise<OpenedBackup> {
  const { label, name, signers, opening } = options
  const store = await openStore(options.store)
  try {
    const backup = await findBackup(store, signers, { label, name })
    const { manifest } = backup
    run.note(`${backup.label}: signed by ${backup.signedBy}, number ${manifest.sequence}`)
    const erasures = await openLedger(options, store, backup)
    const secret = await openSecret(store, backup, opening)
    const passphrase = passphraseOf(secret)
    const { signal } = run
    const read = async (object: string) => {
      const reading = { store, label: backup.label, object: objectOf(manifest, object), passphrase }
      return cutStatements((await readSealedWhole({ ...reading, signal })).toString('utf8'))
    }
    try {
      const literals: Literal[] = []
      const foreign: QualifiedName[] = []
      const plan = await planStructure(
        noteForeign(await read('pre-data.sql.pgp'), foreign),
        await read('post-data.sql.pgp'),
        (statement) => literals.push(...findLiterals(statement)),
        'masked',
      )
      return { backup, secret, structure: { plan, literals }, foreign, erasures }
    } finally {
      passphrase.fill(0)
    }
  } finally {
    await store.close()
  }
}

/** Passes statements on and notes the foreign tables among what they create. */
async function* noteForeign(
  statements: AsyncIterable<Statement>,
  foreign: QualifiedName[],
): AsyncGenerator<Statement> {
  for await (const statement of statements) {
    const { node } = statement
    if ('CreateForeignTableStmt' in node) {
      const name = nameOf(node.CreateForeignTableStmt.base?.relation)
      if (name) foreign.push(name)
    }
    yield statement
  }
}
