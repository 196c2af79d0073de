import type { DailyReport } from '../../daily/facts.ts'
import { printable } from './markup.ts'

type Labels = Readonly<Record<string, string>>
type Sample = [labels: Labels, value: number]

interface Metric {
  name: string
  help: string
  samples: Sample[]
}

/** The text format of Prometheus, for node_exporter's textfile collector. What is not known has no sample. */
export function dailyPrometheus(report: DailyReport): string {
  const metrics = metricsOf(report).filter(({ samples }) => samples.length > 0)
  return metrics
    .map(({ name, help, samples }) =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} gauge`,
        ...samples.map(([labels, value]) => `${name}${labelText(labels)} ${value}`),
      ].join('\n'),
    )
    .map((text) => `${text}\n`)
    .join('')
}

function metricsOf(report: DailyReport): Metric[] {
  const { latest, test, proven, keys, problems, standing } = report
  const chain = { chain: report.name ?? '' }
  const one = (name: string, help: string, value: number | null | undefined): Metric => ({
    name: `pgveil_${name}`,
    help,
    samples: typeof value === 'number' ? [[chain, value]] : [],
  })
  const timeOf = (time: string | null | undefined) =>
    typeof time === 'string' ? Date.parse(time) / 1000 : undefined
  const each = (values: readonly string[], is: string | undefined, label: string): Sample[] =>
    is === undefined
      ? []
      : values.map((value) => [{ ...chain, [label]: value }, Number(value === is)])
  return [
    one('report_time_seconds', 'When the report was made, in Unix time.', timeOf(report.time)),
    {
      name: 'pgveil_report_standing',
      help: 'Judgement of the day: 1 for the one that holds.',
      samples: each(['good', 'attention', 'bad'], standing, 'standing'),
    },
    {
      name: 'pgveil_report_problems',
      help: 'Problems in the report, by standing.',
      samples: (['attention', 'bad'] as const).map((of) => [
        { ...chain, standing: of },
        problems.filter((problem) => problem.standing === of).length,
      ]),
    },
    one(
      'backup_time_seconds',
      'Snapshot of the latest backup, in Unix time.',
      timeOf(latest?.time),
    ),
    one('backup_age_seconds', 'Age of the latest backup when the report was made.', latest?.age),
    one('backup_sequence', 'Number of the latest backup in its chain.', latest?.sequence),
    one('backup_stored_bytes', 'Bytes of the latest backup in the store.', latest?.stored),
    one('backup_content_bytes', 'Bytes of the latest backup before compression.', latest?.content),
    one('backup_rows', 'Rows in the latest backup.', latest?.rows),
    one('backup_tables', 'Tables in the latest backup.', latest?.tables),
    one(
      'backup_expected_interval_seconds',
      'Time in which a backup is expected.',
      report.everyHours * 3600,
    ),
    one(
      'backup_locked_until_seconds',
      'End of the lock on the latest backup, in Unix time.',
      timeOf(report.lockedUntil),
    ),
    one(
      'backup_proven_time_seconds',
      'Snapshot of the newest proven backup, in Unix time.',
      timeOf(proven?.time),
    ),
    {
      name: 'pgveil_verify_outcome',
      help: 'Outcome of the newest restore test: 1 for the one that holds.',
      samples: each(['pass', 'fail', 'incomplete'], test?.outcome, 'outcome'),
    },
    one(
      'verify_of_latest',
      'Whether the newest restore test is of the latest backup.',
      test && Number(test.ofLatest),
    ),
    one(
      'verify_time_seconds',
      'End of the newest restore test, in Unix time.',
      timeOf(test?.finished),
    ),
    one(
      'verify_recovery_seconds',
      'Time that a recovery took in the newest restore test.',
      test?.recoverySeconds,
    ),
    one('verify_recovery_limit_seconds', 'Time that a recovery may take.', report.recovery.limit),
    {
      name: 'pgveil_verify_step_seconds',
      help: 'Time of each step of the newest restore test.',
      samples: (test?.steps ?? []).map(({ step, seconds }) => [{ ...chain, step }, seconds]),
    },
    one('loss_seconds', 'Time whose changes a loss would cost.', report.loss.seconds),
    one('loss_limit_seconds', 'Time whose changes a loss may cost.', report.loss.limit),
    {
      name: 'pgveil_key_expires_seconds',
      help: 'End of each key that ends, in Unix time.',
      samples: keys.flatMap(({ role, fingerprint, expires }): Sample[] =>
        expires === undefined
          ? []
          : [[{ ...chain, role, fingerprint }, Date.parse(expires) / 1000]],
      ),
    },
    {
      name: 'pgveil_drill_time_seconds',
      help: 'Last drill of each side of custodians, in Unix time.',
      samples: report.drills.flatMap(({ side, time }): Sample[] =>
        time === null ? [] : [[{ ...chain, side }, Date.parse(time) / 1000]],
      ),
    },
    one(
      'verifier_envelopes',
      'Backups that the verifier can still open.',
      report.verifierEnvelopes.length,
    ),
    one(
      'leftovers',
      'Unfinished backups and uploads.',
      report.unfinished.length + report.stranded.length,
    ),
  ]
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return `{${pairs.join(',')}}`
}

/** A label's value: https://prometheus.io/docs/instrumenting/exposition_formats/ */
function escapeLabel(value: string): string {
  return printable(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"')
}
