import { checkKeys, PRIVATE_ROLES } from '../backup/check-keys.ts'
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
  const { keys, problems, warnings } = await checkKeys({ backup, verify, config, env })
  const own = (of: 'problems' | 'warnings') => new Set(keys.flatMap((key) => key[of]))
  const [known, warned] = [own('problems'), own('warnings')]
  const endsInOne = (sentence: string, of: ReadonlySet<string>) =>
    [...of].some((part) => sentence.endsWith(part))
  return {
    // Only the backup host has a signing key, and reports may be made elsewhere.
    keys: keys
      .filter(({ role }) => role !== PRIVATE_ROLES.signing || backup.signingKey !== undefined)
      .map(({ role, fingerprint, owners, path, expires, problems: wrong, warnings: doubtful }) => ({
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

/** The keys whose verdicts are believed, as far as they can be read: what is wrong with others is a fact of its own. */
export async function verdictSigners({
  signer,
}: Pick<VerifySettings, 'signer'>): Promise<PublicKeyFile[]> {
  const signers: PublicKeyFile[] = []
  for (const reference of signer) {
    try {
      signers.push(...(await readReferences([reference], 'sign')))
    } catch (error) {
      if (!(error instanceof Failure)) throw error
    }
  }
  return signers
}
