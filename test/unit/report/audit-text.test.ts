import { expect, test } from '@jest/globals'
import { auditText } from '../../../src/report/audit-text.ts'
import type { AuditRun } from '../../../src/report/events.ts'
import { style } from '../../../src/report/style.ts'

const LABEL = '20261122T020000Z-crm'

function run(what: Partial<AuditRun>): AuditRun {
  return {
    run: 'a',
    command: 'backup',
    options: [],
    user: 'pgveil',
    host: 'db',
    pid: 1,
    tool: 'pgveil',
    started: '2026-11-22T02:00:00.000Z',
    result: 'done',
    exitCode: 0,
    seconds: 1,
    counts: {},
    warnings: {},
    ...what,
  }
}

function shown(...runs: AuditRun[]): string[] {
  const text = auditText({ event: 'audit-runs', directory: '/state/audit', runs }, style(false, {}))
  return (text ?? '').trimEnd().split('\n')
}

test('what a run was on stands last, where it may wrap, and names a backup once', () => {
  expect(
    shown(
      run({ source: 'db/crm', label: LABEL, target: `directory /srv as ${LABEL}`, store: '/srv' }),
      run({ command: 'restore', source: LABEL, label: LABEL, target: 'dev/crm', store: '/srv' }),
      run({ command: 'verify', label: LABEL, store: '/srv', result: 'verdict', exitCode: 20 }),
      run({ command: 'prune', store: '/srv' }),
      run({ command: 'copy', source: 'db/crm', target: 'dev/crm' }),
    ),
  ).toEqual([
    'started (UTC)        who        command  result         took  on',
    `2026-11-22 02:00:00  pgveil@db  backup   done          1.0 s  db/crm → directory /srv as ${LABEL}`,
    `2026-11-22 02:00:00  pgveil@db  restore  done          1.0 s  ${LABEL} → dev/crm`,
    `2026-11-22 02:00:00  pgveil@db  verify   verdict (20)  1.0 s  ${LABEL}`,
    '2026-11-22 02:00:00  pgveil@db  prune    done          1.0 s  /srv',
    '2026-11-22 02:00:00  pgveil@db  copy     done          1.0 s  db/crm → dev/crm',
  ])
})
