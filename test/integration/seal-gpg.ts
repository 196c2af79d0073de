import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Its first line, or undefined where there is none. */
export const gpgVersion: string | undefined = spawnSync('gpg', ['--version'], {
  encoding: 'utf8',
}).stdout?.split('\n')[0]

/** A GNUPGHOME of its own, with its own agent. */
export class GpgHome {
  readonly path: string

  constructor() {
    // The agent's socket lies in it, and its path must stay below 108 bytes.
    this.path = mkdtempSync(join(tmpdir(), 'pv'))
    chmodSync(this.path, 0o700)
  }

  /**
   * Runs gpg; what it wrote to its standard output.
   *
   * @throws Error with what it wrote to its standard error, where it ends with another code than 0. A gpg that
   *   refuses without reading its input breaks the pipe to it, now and then: its own words say why, EPIPE does not
   */
  run(args: string[], input: Uint8Array | string = ''): Buffer {
    const { status, stdout, stderr, error } = spawnSync(
      'gpg',
      ['--batch', '--quiet', '--no-tty', '--trust-model', 'always', ...args],
      { input, env: { ...process.env, GNUPGHOME: this.path }, maxBuffer: 1 << 26 },
    )
    if (error !== undefined && (error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
    if (status !== 0) throw new Error(`gpg ended with ${status}: ${stderr.toString()}`)
    return stdout
  }

  /** Makes a key without passphrase, or with one; its fingerprint. */
  makeKey(
    name: string,
    kind: string[],
    { passphrase = '', options = [] as string[] } = {},
  ): string {
    const loopback = ['--pinentry-mode', 'loopback', '--passphrase', passphrase]
    this.run([...options, ...loopback, '--quick-gen-key', `${name} <${name}@example.org>`, ...kind])
    return this.fingerprint(name)
  }

  fingerprint(name: string): string {
    const listed = this.run(['--with-colons', '--list-keys', `<${name}@example.org>`]).toString()
    return /^fpr:+([0-9A-F]{40}):/m.exec(listed)![1]!
  }

  /** Revokes a key by the certificate that gpg made along with it. */
  revoke(fingerprint: string): void {
    const directory = join(this.path, 'openpgp-revocs.d')
    const file = readdirSync(directory).find((name) => name.startsWith(fingerprint))!
    const text = readFileSync(join(directory, file), 'utf8').replace(/^:(-----BEGIN)/m, '$1')
    this.run(['--import'], text)
  }

  exportPublic(name: string, ...options: string[]): Buffer {
    return this.run(['--armor', ...options, '--export', `<${name}@example.org>`])
  }

  exportPrivate(name: string, passphrase = '', command = '--export-secret-keys'): Buffer {
    const loopback = ['--pinentry-mode', 'loopback', '--passphrase', passphrase]
    return this.run(['--armor', ...loopback, command, `<${name}@example.org>`])
  }

  /** Has the agent ask this program for passphrases, and forget those it knows. */
  setPinentry(program: string): void {
    writeFileSync(join(this.path, 'gpg-agent.conf'), `pinentry-program ${program}\n`)
    this.stop()
  }

  /** A program that gives one answer to every question: lines of the Assuan protocol. */
  pinentry(answer: string): string {
    const path = join(this.path, 'pinentry')
    const script = [
      '#!/bin/sh',
      'echo "OK"',
      'while read -r line; do case "$line" in',
      `GETPIN*) printf '${answer}\\n';;`,
      'BYE*) echo OK; exit 0;;',
      '*) echo OK;;',
      'esac; done',
    ]
    writeFileSync(path, script.join('\n'), { mode: 0o755 })
    return path
  }

  stop(): void {
    const env = { ...process.env, GNUPGHOME: this.path }
    spawnSync('gpgconf', ['--kill', 'all'], { env, stdio: 'ignore' })
  }

  remove(): void {
    this.stop()
    rmSync(this.path, { recursive: true, force: true })
  }
}
