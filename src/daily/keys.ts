import { checkKeys } from '../backup/check-keys.ts'
import { readReferences } from '../backup/keys.ts'
import type { BackupSettings } from '../config/backup.ts'
import type { VerifySettings } from '../config/operations.ts'
import { Failure } from '../errors.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import type { KeyFact } from './facts.ts'

/** Every key that a night needs, and what is to be said of them together. */
export interface KeyFacts {
  keys: KeyFact[]
  /** What no single key shows, like one on both sides. */
  problems: string[]
  warnings: string[]
}

/**
 * Looks at all keys of the configuration.
 *
 * @param config path of pgveil.yaml
 */
export async function keyFacts(
  backup: BackupSettings,
  verify: VerifySettings,
  config: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<KeyFacts> {
  const { keys, problems, warnings } = await checkKeys(backup, config, env)
  const own = (of: 'problems' | 'warnings') => new Set(keys.flatMap((key) => key[of]))
  const [known, warned] = [own('problems'), own('warnings')]
  const endsInOne = (sentence: string, of: ReadonlySet<string>) =>
    [...of].some((part) => sentence.endsWith(part))
  return {
    keys: [
      // Only the backup host has it, and reports may be made elsewhere.
      ...keys.filter(({ role }) => role !== 'signing key' || backup.signingKey !== undefined),
      ...(await verdictSigners(verify)).facts,
    ].map(({ role, fingerprint, owners, path, expires, problems: wrong, warnings: doubtful }) => ({
      role,
      fingerprint,
      owners,
      path,
      ...(expires !== undefined && { expires }),
      problems: wrong,
      warnings: doubtful,
    })),
    problems: problems.filter((sentence) => !endsInOne(sentence, known)),
    warnings: warnings.filter(
      (sentence) =>
        !endsInOne(sentence, warned) &&
        // The verifying host has the verifier's key.
        !(verify.key !== undefined && sentence.startsWith(`${verify.key} `)),
    ),
  }
}

/** The keys whose verdicts are believed; what cannot be read is a fact, too. */
export async function verdictSigners({
  signer,
}: Pick<VerifySettings, 'signer'>): Promise<{ signers: PublicKeyFile[]; facts: KeyFact[] }> {
  const role = 'verdict signer'
  const signers: PublicKeyFile[] = []
  const facts: KeyFact[] = []
  for (const reference of signer) {
    try {
      const found = await readReferences([reference], 'sign')
      signers.push(...found)
      for (const { fingerprint, userIds, path, expires, problems, warnings } of found) {
        const ends = expires && { expires: expires.toISOString() }
        facts.push({ role, fingerprint, owners: userIds, path, ...ends, problems, warnings })
      }
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      const { file: path } = reference
      const problems = [error.message]
      facts.push({ role, fingerprint: '', owners: [], path, problems, warnings: [] })
    }
  }
  return { signers, facts }
}
