// The S3 stand-in as a process of its own, so that a benchmark does not share a thread with it. Prints where it is.
import { startS3 } from '../../test/fixtures/s3-stand-in.mjs'

const [directory] = process.argv.slice(2)
const server = await startS3({
  region: 'eu-central-1',
  buckets: { backups: {} },
  ...(directory !== undefined && { directory }),
})
const { endpoint, accessKeyId, secretAccessKey } = server
console.log(JSON.stringify({ endpoint, accessKeyId, secretAccessKey }))
process.stdin.resume().on('end', () => process.exit())
