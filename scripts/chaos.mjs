// npm run test:chaos -- --points 200 --seed 7: disturbs backups and restores at random moments, and looks at what is left.
// With --seconds no point begins after that time: slices with different seeds add up.
import { Attack, Violation } from '../test/chaos/points.mjs'
import { randomFrom } from '../test/chaos/random.mjs'
import { World } from '../test/chaos/world.mjs'
import { readOptions } from './options.mjs'

/** Points on one store; then an empty one follows. */
const ON_ONE = 10

const { values } = readOptions(import.meta.url, {
  options: {
    points: { type: 'string', default: '200' },
    seconds: { type: 'string', default: 'Infinity' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})
const points = Number(values.points)
const seed = Number(values.seed)
const milliseconds = 1000 * Number(values.seconds)
if (
  !Number.isSafeInteger(points) ||
  points < 1 ||
  !Number.isSafeInteger(seed) ||
  Number.isNaN(milliseconds)
) {
  console.error('chaos: --points and --seed are whole numbers, --seconds is a number')
  process.exit(2)
}

/** @type {Map<string, Map<string, number>>} */
const counts = new Map()
const world = await World.open()
let at = 0
try {
  const random = randomFrom(seed)
  const attack = new Attack(world, random)
  for (; at < points && performance.now() < milliseconds; at++) {
    if (at % ON_ONE === 0) await attack.begin((at / ON_ONE) % 2 === 0 ? 'directory' : 's3')
    const { what, outcome } = await attack.point()
    const found = counts.get(what) ?? new Map()
    counts.set(what, found.set(outcome, (found.get(outcome) ?? 0) + 1))
    if (process.stderr.isTTY) process.stderr.write(`\rchaos: ${at + 1} of ${points}`)
  }
} catch (error) {
  const said = error instanceof Violation ? error.message : error
  console.error(`chaos: violated at point ${at + 1}; again with --seed ${seed}:`, said)
  process.exitCode = 1
} finally {
  await world.close()
}

for (const [what, outcomes] of [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
  const each = Array.from(outcomes, ([outcome, count]) => `${outcome} ${count}`)
  console.log(`${what}: ${each.join(', ')}`)
}
console.log(
  `chaos: ${at} of ${points} points, seed ${seed}: ${process.exitCode ? 'VIOLATED' : 'all promises kept'}`,
)
