import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

/**
 * Makes a certificate for `localhost` that vouches for itself.
 *
 * @returns paths of PEM files
 */
export async function makeCertificate(directory: string): Promise<{ cert: string; key: string }> {
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  const kind = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2'
  const name = '-subj /CN=localhost -addext subjectAltName=DNS:localhost'
  const files = ['-keyout', key, '-out', cert]
  await promisify(execFile)('openssl', [...`${kind} ${name}`.split(' '), ...files])
  return { cert, key }
}
