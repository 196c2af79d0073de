import { relative, sep } from 'node:path'

/** A public key with its file's path, absolute. */
export interface PinnedKey {
  path: string
  fingerprint: string
}

export interface TrialSection {
  name: string | undefined
  sides: ReadonlyMap<string, PinnedKey>
  verifier: PinnedKey
  signer: PinnedKey
  /** Absolute path of the private key. */
  signingKey: string
  /** Absolute path of the verifier's private key. */
  verifierKey: string
  verdictSigner: PinnedKey
  /** Absolute path of the private key that signs verdicts. */
  verdictKey: string
}

/**
 * The sections `backup:` and `verify:` of pgveil.yaml, with pinned fingerprints.
 *
 * @param base directory of pgveil.yaml, which paths count from
 */
export function trialSection(section: TrialSection, base: string): string {
  // A path or a fingerprint could as well be read as a number or a truth value: JSON strings are YAML strings.
  const text = (path: string) => JSON.stringify(relative(base, path).split(sep).join('/'))
  const key = ({ path, fingerprint }: PinnedKey) =>
    `{ file: ${text(path)}, fingerprint: "${fingerprint}" }`
  return [
    'backup:',
    ...(section.name === undefined ? [] : [`  name: ${JSON.stringify(section.name)}`]),
    '  sides:',
    ...Array.from(section.sides, ([name, side]) => `    ${name}: ${key(side)}`),
    ...(section.sides.size === 1 ? ['  singleSide: true'] : []),
    `  verifier: ${key(section.verifier)}`,
    `  signer: ${key(section.signer)}`,
    `  signingKey: ${text(section.signingKey)}`,
    'verify:',
    `  key: ${text(section.verifierKey)}`,
    `  signer: ${key(section.verdictSigner)}`,
    `  signingKey: ${text(section.verdictKey)}`,
    '',
  ].join('\n')
}

/** A new pgveil.yaml around these sections. */
export function trialFile(section: string): string {
  return `# Where backups lie, and what is backed up, belongs here too:
#   store: { directory: backups }
#   source: postgresql://user@host/database
${section}`
}
