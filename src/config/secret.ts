import { readFile } from 'node:fs/promises'
import { Failure, systemReason } from '../errors.ts'

const MIN_CHARACTERS = 16
const MIN_DIFFERENT = 8

/** Where the named secret for stable masks is kept; never the secret itself. */
export type SecretSource = { env: string } | { file: string }

/**
 * Reads the named secret. A line break at its end does not belong to it.
 *
 * @throws Failure `key` where it is missing or too easy to guess
 */
export async function readSecret(
  source: SecretSource,
  env: NodeJS.ProcessEnv,
): Promise<Uint8Array> {
  const hint = 'make one with: openssl rand -base64 32'
  const { where, text } = await readSource(source, env)
  if (!text) throw new Failure('key', `cannot read the secret: ${where} is not set`, { hint })
  const characters = Array.from(text)
  if (characters.length < MIN_CHARACTERS || new Set(characters).size < MIN_DIFFERENT)
    throw new Failure(
      'key',
      `the secret in ${where} is too easy to guess: it needs at least ${MIN_CHARACTERS} characters, ${MIN_DIFFERENT} of them different`,
      { hint },
    )
  return Buffer.from(text, 'utf8')
}

/**
 * Reads a passphrase. A line break at its end does not belong to it.
 *
 * @throws Failure `key` where it is missing
 */
export async function readSecretText(
  source: SecretSource,
  env: NodeJS.ProcessEnv,
): Promise<Buffer> {
  const { where, text } = await readSource(source, env)
  if (!text) throw new Failure('key', `cannot read the passphrase: ${where} is not set`)
  return Buffer.from(text, 'utf8')
}

/** The text, undefined where there is none, and where it was looked for. */
async function readSource(
  source: SecretSource,
  env: NodeJS.ProcessEnv,
): Promise<{ where: string; text: string | undefined }> {
  const where = 'env' in source ? `environment variable ${source.env}` : `file ${source.file}`
  const text = 'env' in source ? env[source.env] : await readSecretFile(source.file)
  return { where, text: text?.replace(/\r?\n$/, '') }
}

async function readSecretFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const message = `cannot read the secret: file ${path}: ${systemReason(cause)}`
    throw new Failure('key', message, { cause })
  }
}
