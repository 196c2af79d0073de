// A real S3 server for tests: Ceph's radosgw with one monitor, one manager and one OSD in memory, from Debian's packages,
// as processes of this user on free ports. Run by itself it stays until it is interrupted.
import { execFile, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const PACKAGES = 'radosgw ceph-mon ceph-osd ceph-mgr'
const PROGRAMS = ['ceph-mon', 'ceph-mgr', 'ceph-osd', 'radosgw', 'radosgw-admin', 'ceph']
const START_MS = 60_000
const STOP_MS = 10_000

const execute = promisify(execFile)

/**
 * @typedef {object} Radosgw
 * @property {string} endpoint
 * @property {string} accessKeyId
 * @property {string} secretAccessKey
 * @property {(args: string[]) => Promise<string>} admin runs radosgw-admin
 * @property {() => Promise<void>} stop ends the processes and removes their directory
 */

/** The programs that are missing on this machine. */
export function missingPrograms() {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin']
  return PROGRAMS.filter((name) => !places.some((place) => existsSync(join(place, name))))
}

/** @returns {Promise<Radosgw>} once it answers */
export async function startRadosgw() {
  const missing = missingPrograms()
  if (missing.length > 0) {
    throw new Error(
      `missing ${missing.join(', ')}: apt-get install --no-install-recommends ${PACKAGES}`,
    )
  }
  const directory = await mkdtemp(join(tmpdir(), 'pgveil-radosgw-'))
  /** @type {import('node:child_process').ChildProcess[]} */
  const children = []
  const stop = async () => {
    for (const child of children.toReversed()) await end(child)
    await rm(directory, { recursive: true, force: true })
  }
  try {
    return { ...(await start(directory, children)), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/**
 * @param {string} directory
 * @param {import('node:child_process').ChildProcess[]} children takes what is started
 */
async function start(directory, children) {
  for (const name of ['mon', 'mgr', 'osd', 'rgw', 'log', 'run']) await mkdir(join(directory, name))
  const [v2, v1, port] = await freePorts(3)
  const fsid = randomUUID()
  const conf = join(directory, 'ceph.conf')
  await writeFile(conf, configuration(directory, fsid, { v2, v1, port }))
  /** @type {(program: string, args: string[]) => Promise<string>} */
  const run = async (program, args) => (await execute(program, args)).stdout
  const ceph = (/** @type {string[]} */ ...args) => run('ceph', ['-c', conf, ...args])
  const daemon = (/** @type {string} */ program, /** @type {string[]} */ ...args) => {
    children.push(spawn(program, ['-c', conf, '-f', ...args], { stdio: 'ignore' }))
  }

  await makeKeyring(join(directory, 'keyring'), run)
  const map = join(directory, 'monmap')
  const address = `[v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]`
  await run('monmaptool', ['--create', '--addv', 'a', address, '--fsid', fsid, map])
  const keyring = ['--keyring', join(directory, 'keyring')]
  await run('ceph-mon', ['-c', conf, '-i', 'a', '--mkfs', '--monmap', map, ...keyring])
  daemon('ceph-mon', '-i', 'a')
  daemon('ceph-mgr', '-i', 'x')
  const osd = randomUUID()
  await ceph('osd', 'new', osd)
  await run('ceph-osd', ['-c', conf, '-i', '0', '--mkfs', '--osd-uuid', osd])
  daemon('ceph-osd', '-i', '0')
  daemon('radosgw', '-n', 'client.rgw.a')
  await answers(port, children)

  const accessKeyId = `AK${randomBytes(9).toString('hex')}`
  const secretAccessKey = randomBytes(20).toString('hex')
  const admin = (/** @type {string[]} */ args) =>
    run('radosgw-admin', ['-c', conf, '-n', 'client.rgw.a', ...args])
  const keys = [`--access-key=${accessKeyId}`, `--secret-key=${secretAccessKey}`]
  await admin(['user', 'create', '--uid=test', '--display-name=test', ...keys])
  return { endpoint: `http://127.0.0.1:${port}`, accessKeyId, secretAccessKey, admin }
}

/**
 * @param {string} directory
 * @param {string} fsid
 * @param {Record<string, number | undefined>} ports
 */
function configuration(directory, fsid, { v2, v1, port }) {
  return `[global]
fsid = ${fsid}
mon host = [v2:127.0.0.1:${v2}/0,v1:127.0.0.1:${v1}/0]
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = ${directory}/keyring
auth allow insecure global id reclaim = true
mon data avail crit = 1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
ms bind ipv6 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
log file = ${directory}/log/$name.log
admin socket = ${directory}/run/$name.asok
run dir = ${directory}/run
[mon.a]
mon data = ${directory}/mon
[mgr.x]
mgr data = ${directory}/mgr
mgr initial modules =
[osd.0]
osd objectstore = memstore
memstore device bytes = 4294967296
osd data = ${directory}/osd
osd class load list = *
osd class default list = *
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:${port}
rgw data = ${directory}/rgw
rgw enable usage log = false
debug rgw = 0
`
}

/**
 * @param {string} path
 * @param {(program: string, args: string[]) => Promise<string>} run
 */
async function makeKeyring(path, run) {
  const all = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *', '--cap', 'mgr', 'allow *']
  const names = ['client.admin', 'client.rgw.a', 'mgr.x', 'osd.0']
  await run('ceph-authtool', ['--create-keyring', '--gen-key', '-n', 'mon.', path, ...all])
  for (const name of names) await run('ceph-authtool', ['--gen-key', '-n', name, path, ...all])
}

/** @param {number} count */
async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
      return server
    }),
  )
  return servers.map((server) => {
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
    server.close()
    return port
  })
}

/**
 * @param {number | undefined} port
 * @param {import('node:child_process').ChildProcess[]} children
 */
async function answers(port, children) {
  for (const end = Date.now() + START_MS; Date.now() < end;) {
    const ended = children.find((child) => child.exitCode !== null)
    if (ended) throw new Error(`${ended.spawnfile} ended with exit code ${ended.exitCode}`)
    const open = await new Promise((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => resolve(true))
      socket.once('error', () => resolve(false)).once('close', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (open) return
    await sleep(200)
  }
  throw new Error('radosgw does not answer')
}

/** @param {import('node:child_process').ChildProcess} child */
async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(late)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await startRadosgw()
  const { endpoint, accessKeyId, secretAccessKey } = server
  console.log(
    `${endpoint}\nAWS_ACCESS_KEY_ID=${accessKeyId}\nAWS_SECRET_ACCESS_KEY=${secretAccessKey}`,
  )
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void server.stop())
}
