import { tmpdir } from 'node:os'
import { expect, test } from '@jest/globals'
import { commandEnvironment, runCommands } from '../../../src/verify/commands.ts'
import { StepRecord } from '../../../src/verify/step.ts'

const url = 'postgres://po%40st:p%2Fw@127.0.0.1:5433/restored'

function run(commands: { name: string; run: string[]; timeoutSeconds?: number }[]) {
  const record = new StepRecord('commands')
  const outputs = runCommands(record, {
    commands: commands.map((command) => ({ timeoutSeconds: 20, ...command })),
    directory: tmpdir(),
    url,
    env: { PATH: process.env['PATH'] },
    secrets: [],
    signal: new AbortController().signal,
  })
  return outputs.then((printed) => ({ record, printed }))
}

test('commands are led to the restored database, and see no secret of pgveil’s', () => {
  const env = {
    PATH: '/bin',
    HOME: '/home/x',
    PGPASSWORD: 'production',
    PGSERVICE: 'production',
    PGVEIL_SOURCE: 'postgres://production',
    AWS_SECRET_ACCESS_KEY: 'of the store',
    VERIFIER_PASSPHRASE: 'hush',
  }
  expect(commandEnvironment({ env, secrets: ['VERIFIER_PASSPHRASE'], url })).toEqual({
    PATH: '/bin',
    HOME: '/home/x',
    PGVEIL_SCRATCH_URL: url,
    PGHOST: '127.0.0.1',
    PGPORT: '5433',
    PGUSER: 'po@st',
    PGPASSWORD: 'p/w',
    PGDATABASE: 'restored',
  })
})

test('of a long output only the end is kept, and none of it goes into the verdict', async () => {
  const script = 'i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo "row $i"; done; printf last'
  const { record, printed } = await run([{ name: 'long', run: ['sh', '-c', script] }])
  expect(printed[0]?.lines.slice(-2)).toEqual(['row 500', 'last'])
  expect(printed[0]?.lines.length).toBeLessThanOrEqual(41)
  expect(record.result).toMatchObject({ outcome: 'pass', checks: 1 })
  expect(JSON.stringify(record.result)).not.toContain('row ')
})

test('a line without end does not fill memory', async () => {
  const script = 'head -c 3000000 /dev/zero | tr "\\0" x'
  const { printed } = await run([{ name: 'wide', run: ['sh', '-c', script] }])
  expect(printed[0]?.lines.join('').length).toBeLessThan(1000)
})

test('one that does not end is ended with what it has started', async () => {
  const started = Date.now()
  const { record } = await run([
    { name: 'hangs', run: ['sh', '-c', 'sleep 30 & sleep 30'], timeoutSeconds: 0.2 },
  ])
  expect(Date.now() - started).toBeLessThan(10_000)
  expect(record.findings).toEqual([
    { severity: 'failure', message: 'hangs: did not end within 0.2 s' },
  ])
})

test('one that ends and leaves somebody behind with its output open is not waited for', async () => {
  const started = Date.now()
  const { record } = await run([{ name: 'leaves', run: ['sh', '-c', 'sleep 30 & exit 0'] }])
  expect(Date.now() - started).toBeLessThan(10_000)
  expect(record.result.outcome).toBe('pass')
})

test('a program that is not there was not run: incomplete', async () => {
  const { record } = await run([{ name: 'absent', run: ['/nowhere/smoke'] }])
  expect(record.result).toMatchObject({ outcome: 'incomplete', checks: 0 })
})
