// npm run bench:stores: the same backup to a directory, to the S3 stand-in and, where Debian's packages are, to a
// real radosgw. Rounds alternate. The servers run on this machine and take its processors: what they use is counted.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { bootstrap, ROOT } from '../bootstrap.mjs'
import { startPostgres } from '../embedded-postgres.mjs'
import { readOptions } from '../options.mjs'
import { missingPrograms, startRadosgw } from '../radosgw.mjs'
import { fillSampleCrm } from '../sample-crm/fill.mjs'
import { measure, median } from './measure.mjs'
import { writeTrial } from './trial-keys.mjs'

const { values: options } = readOptions(import.meta.url, {
  options: {
    // About half a second more of start-up than with a directory is not what is asked for here.
    scale: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string', default: join(ROOT, 'bench-results', 'stores.json') },
  },
})

/** @typedef {{ endpoint: string, accessKeyId: string, secretAccessKey: string, pid?: number }} S3 */

/** @param {string} directory @returns {Promise<S3 & { stop: () => Promise<unknown> }>} */
async function startStandIn(directory) {
  mkdirSync(directory)
  const program = join(ROOT, 'scripts', 'bench', 's3-server.mjs')
  const child = spawn(process.execPath, [program, directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  const stop = async () => {
    const ended = once(child, 'exit')
    child.stdin.end()
    await ended
  }
  return { ...JSON.parse(line), pid: child.pid, stop }
}

/** @param {number | undefined} pid @returns {number} seconds of processor time so far */
function processorSeconds(pid) {
  if (pid === undefined) return Number.NaN
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

bootstrap()
const production = await startPostgres({ settings: { shared_buffers: '256MB' } })
const directory = mkdtempSync(join(tmpdir(), 'pgveil-bench-'))
const standIn = await startStandIn(join(directory, 'stand-in'))
const ceph = missingPrograms().length === 0 ? await startRadosgw() : undefined
if (!ceph) console.error('no radosgw: apt-get install radosgw ceph-mon ceph-osd ceph-mgr')
try {
  const client = new pg.Client(production.url)
  await client.connect()
  await client.query('CREATE DATABASE crm')
  await client.end()
  const source = production.url.replace(/postgres$/, 'crm')
  await fillSampleCrm(source, { scale: Number(options.scale), seed: 1 })
  await writeTrial(directory, source, { directory: 'store' })
  const common = ['backup', `--config=${join(directory, 'pgveil.yaml')}`, '--jobs=2']

  /** @param {S3} server @param {string} prefix @param {string} [name] of the region */
  const toS3 = ({ endpoint, accessKeyId, secretAccessKey }, prefix, name = 'eu-central-1') => {
    const region = `region=${name}&allowedRegions=${name},default`
    return measure(
      [
        ...common,
        `--store=s3://backups/${prefix}?${region}&endpoint=${encodeURIComponent(endpoint)}`,
      ],
      {
        env: {
          ...process.env,
          AWS_ACCESS_KEY_ID: accessKeyId,
          AWS_SECRET_ACCESS_KEY: secretAccessKey,
          AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
        },
      },
    )
  }
  if (ceph) {
    await makeBucket(ceph)
    // Ceph makes its pools when the first object comes.
    await toS3(ceph, 'first', 'us-east-1')
  }
  /** @type {{ directory: number, standIn: number, server: number, radosgw: number | undefined }[]} */
  const rounds = []
  for (let round = 1; round <= Number(options.rounds); round++) {
    mkdirSync(join(directory, 'store'), { mode: 0o700 })
    const local = await measure(common)
    rmSync(join(directory, 'store'), { recursive: true })
    const before = processorSeconds(standIn.pid)
    const s3 = await toS3(standIn, `round-${round}`)
    const server = processorSeconds(standIn.pid) - before
    const radosgw = ceph ? await toS3(ceph, `round-${round}`, 'us-east-1') : undefined
    rounds.push({
      directory: local.seconds,
      standIn: s3.seconds,
      server,
      radosgw: radosgw?.seconds,
    })
    console.error(
      `round ${round}: directory ${local.seconds.toFixed(1)} s, stand-in ${s3.seconds.toFixed(1)} s (its own processor time ${server.toFixed(1)} s), radosgw ${radosgw?.seconds.toFixed(1) ?? '–'} s`,
    )
  }
  const middle = (/** @type {'directory' | 'standIn' | 'server' | 'radosgw'} */ what) =>
    median(rounds.map((round) => round[what] ?? Number.NaN))
  const summary = {
    scale: Number(options.scale),
    directory_seconds: middle('directory'),
    stand_in_seconds: middle('standIn'),
    stand_in_processor_seconds: middle('server'),
    radosgw_seconds: middle('radosgw'),
    stand_in_ratio: middle('standIn') / middle('directory'),
    radosgw_ratio: middle('radosgw') / middle('directory'),
    rounds,
  }
  mkdirSync(join(options.json, '..'), { recursive: true })
  writeFileSync(options.json, `${JSON.stringify(summary, null, 2)}\n`)
  console.log(JSON.stringify(summary, null, 2))
} finally {
  await production.stop()
  await standIn.stop()
  await ceph?.stop()
  rmSync(directory, { recursive: true, force: true })
}

/** @param {S3} server */
async function makeBucket({ endpoint, accessKeyId, secretAccessKey }) {
  const { CreateBucketCommand, S3Client } = await import('@aws-sdk/client-s3')
  const client = new S3Client({
    endpoint,
    // Ceph's own zone group takes no other.
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  })
  await client.send(new CreateBucketCommand({ Bucket: 'backups' }))
  client.destroy()
}
