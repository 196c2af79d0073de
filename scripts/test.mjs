// npm test: everything a fresh clone needs, then jest. Arguments go to jest: npm test -- test/unit
import { join } from 'node:path'
import { bootstrap, ROOT, run } from './bootstrap.mjs'

bootstrap({ tests: true })
run(process.execPath, [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'),
  ...process.argv.slice(2),
])
