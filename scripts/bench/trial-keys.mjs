import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../bootstrap.mjs'

/**
 * Keys and a pgveil.yaml for a run, in a directory of its own. Nothing about them is meant to stay.
 *
 * @param {string} directory
 * @param {string} source
 * @param {object} store the key `store` of pgveil.yaml
 * @returns {Promise<{ custodians: string[], publicKeys: string[] }>} paths of private and public keys of both sides
 */
export async function writeTrial(directory, source, store) {
  /** @type {typeof import('../../src/seal/generate.ts')} */
  const { generateKey } = await import(join(ROOT, 'dist', 'seal', 'generate.js'))
  mkdirSync(join(directory, 'keys'), { recursive: true })
  const path = (/** @type {string} */ name) => join(directory, 'keys', `${name}.asc`)
  for (const name of ['operations', 'offline', 'verifier', 'signing']) {
    const key = await generateKey({ name, use: name === 'signing' ? 'sign' : 'encrypt' })
    writeFileSync(path(`${name}.public`), key.publicKey)
    writeFileSync(path(`${name}.private`), key.privateKey, { mode: 0o600 })
  }
  const settings = {
    source,
    store,
    backup: {
      sides: { operations: 'keys/operations.public.asc', offline: 'keys/offline.public.asc' },
      verifier: 'keys/verifier.public.asc',
      signer: 'keys/signing.public.asc',
      signingKey: 'keys/signing.private.asc',
    },
  }
  // JSON is YAML.
  writeFileSync(join(directory, 'pgveil.yaml'), JSON.stringify(settings, null, 2))
  return {
    custodians: [path('operations.private'), path('offline.private')],
    publicKeys: [path('operations.public'), path('offline.public')],
  }
}
