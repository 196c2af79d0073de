import { parseArgs } from 'node:util'
import { fillSampleCrm } from './fill.mjs'

const USAGE = `usage: node scripts/sample-crm/cli.mjs --url URL [--scale N] [--seed S]

Fills an empty database with a Hungarian sample CRM: about 10 MB at scale 1, 1 GB at scale 100.
`

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    scale: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
  },
})
const scale = Number(values.scale)
const seed = Number(values.seed)
if (!values.url || !(scale > 0) || !Number.isInteger(seed)) {
  process.stderr.write(USAGE)
  process.exitCode = 2
} else {
  const start = performance.now()
  const { rows } = await fillSampleCrm(values.url, {
    scale,
    seed,
    onProgress: (message) => process.stderr.write(`${message}\n`),
  })
  process.stdout.write(`${rows} rows in ${((performance.now() - start) / 1000).toFixed(1)} s\n`)
}
