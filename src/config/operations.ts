import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from './zod.ts'
import { KEYS, SECRET, toReferences, type KeyReference } from './backup.ts'
import type { SecretSource } from './secret.ts'

/** How restore tests are run. */
export interface VerifySettings {
  /** Absolute path of verification.yaml; undefined: the built-in steps alone. */
  rules?: string
  /** Private key that opens the verifier's envelopes, and the one that signs verdicts: on the verifying host only. */
  key?: string
  keyPassphrase?: SecretSource
  signingKey?: string
  signingPassphrase?: SecretSource
  /** Public keys whose verdicts are believed. */
  signer: KeyReference[]
  /** Connection URL of a server to restore on; undefined: one is started for each test. */
  server?: string
  /** Directory with initdb and postgres; undefined: searched for. */
  bin?: string
}

/** Which backups are kept. Counts of the newest backup of each period; `days`: everything that is younger. */
export interface RetentionSettings {
  days: number
  daily: number
  weekly: number
  monthly: number
  yearly: number
  /** Hours after which leftovers of runs that died are removed. */
  graceHours: number
}

export interface MailSettings {
  host: string
  port: number
  /** `tls`: from the first byte; `starttls`: required; `none`: on loopback only. */
  security: 'tls' | 'starttls' | 'none'
  user?: string
  password?: SecretSource
  from: string
  to: string[]
}

/** Where the daily report goes. */
export interface ReportSettings {
  /** Absolute path of a directory that keeps the reports. */
  directory: string
  mail?: MailSettings
  /** A dead-man's switch: asked with GET after each report that was delivered. */
  ping?: string
  /** Absolute path of a Prometheus text file. */
  metrics?: string
  /** Hours in which a backup is expected. */
  everyHours: number
  /** Days in which custodians of each side are to show that their keys open a backup; 0: never. */
  drillDays: number
}

/** How persons who were erased stay so. */
export interface ErasureSettings {
  /** Keys the hashes in the ledger: at least 16 characters. */
  secret: SecretSource
  /** What becomes of rows that refer to an erased one, by the referring table (`schema.table`), `*` for the others. */
  references: Record<string, 'delete' | 'null'>
}

/** Records of who did what, and how long they and what goes with them are kept. */
export interface AuditSettings {
  /** False: none are written. */
  records: boolean
  /** Configuration asks for them: where they cannot be written, nothing is done. */
  required: boolean
  days: number
  /** Of the detailed logs of restore tests. */
  detailDays: number
}

const TEXT = z.string().min(1, 'expected text')
const COUNT = z.int().min(0, 'expected a whole number').max(10_000, 'expected a smaller number')

const VERIFY = z.strictObject({
  rules: TEXT.optional(),
  key: TEXT.optional(),
  keyPassphrase: SECRET.optional(),
  signingKey: TEXT.optional(),
  signingPassphrase: SECRET.optional(),
  signer: KEYS.optional(),
  server: TEXT.optional(),
  bin: TEXT.optional(),
})

const RETENTION = z.strictObject({
  days: COUNT.optional(),
  daily: COUNT.optional(),
  weekly: COUNT.optional(),
  monthly: COUNT.optional(),
  yearly: COUNT.optional(),
  graceHours: z.int().min(1, 'expected 1 hour or more').optional(),
})

const MAIL = z.strictObject({
  host: TEXT,
  port: z.int().min(1).max(65_535).optional(),
  security: z.enum(['tls', 'starttls', 'none']).optional(),
  user: TEXT.optional(),
  password: SECRET.optional(),
  from: TEXT,
  to: z.union([TEXT.transform((to) => [to]), z.array(TEXT).min(1, 'expected a recipient')]),
})

const REPORT = z.strictObject({
  directory: TEXT.optional(),
  mail: MAIL.optional(),
  ping: z
    .string()
    .regex(/^https?:\/\//, 'expected a URL')
    .optional(),
  metrics: TEXT.optional(),
  everyHours: z.number().positive('expected a number of hours').optional(),
  drillDays: COUNT.optional(),
})

const ERASURE = z.strictObject({
  secret: SECRET,
  references: z
    .record(
      z.string(),
      // A bare null is what YAML makes of the word.
      z.preprocess((value) => value ?? 'null', z.enum(['delete', 'null'])),
    )
    .optional(),
})

const DAYS = z.int().min(1, 'expected 1 day or more').max(36_500, 'expected fewer days')

const AUDIT = z.union(
  [z.literal('off'), z.strictObject({ days: DAYS.optional(), detailDays: DAYS.optional() })],
  { error: 'expected off, or { days, detailDays }' },
)

/** Keys of pgveil.yaml for what happens after a backup. */
export const OPERATIONS_SCHEMA = {
  state: TEXT.optional(),
  verify: VERIFY.optional(),
  retention: RETENTION.optional(),
  report: REPORT.optional(),
  erasure: ERASURE.optional(),
  audit: AUDIT.optional(),
}

export interface OperationsSettings {
  /** Absolute path of a directory for audit records, logs, locks and reports. */
  state: string
  verify: VerifySettings
  retention: RetentionSettings
  report: ReportSettings
  erasure?: ErasureSettings
  audit: AuditSettings
}

type Raw = z.output<z.ZodObject<typeof OPERATIONS_SCHEMA>>

/** Settings with their defaults; relative paths count from `base`. */
export function operationsSettings(
  raw: Raw,
  base: string,
  env: NodeJS.ProcessEnv,
): OperationsSettings {
  const state = raw.state === undefined ? defaultState(env) : resolve(base, raw.state)
  const { erasure } = raw
  return {
    state,
    verify: verifySettings(raw.verify ?? {}, base),
    retention: {
      days: 7,
      daily: 14,
      weekly: 8,
      monthly: 12,
      yearly: 0,
      graceHours: 48,
      ...dropUndefined(raw.retention ?? {}),
    },
    report: reportSettings(raw.report ?? {}, base, state),
    audit: auditSettings(raw.audit),
    ...(erasure && {
      erasure: {
        secret: resolveSecret(erasure.secret, base),
        references: erasure.references ?? {},
      },
    }),
  }
}

function defaultState(env: NodeJS.ProcessEnv): string {
  return join(env['XDG_STATE_HOME'] || join(env['HOME'] || homedir(), '.local', 'state'), 'pgveil')
}

function verifySettings(raw: NonNullable<Raw['verify']>, base: string): VerifySettings {
  const { signer, keyPassphrase, signingPassphrase, server, ...paths } = raw
  return {
    ...dropUndefined(
      Object.fromEntries(
        Object.entries(paths).map(([key, path]) => [key, path && resolve(base, path)]),
      ),
    ),
    ...(keyPassphrase && { keyPassphrase: resolveSecret(keyPassphrase, base) }),
    ...(signingPassphrase && { signingPassphrase: resolveSecret(signingPassphrase, base) }),
    ...(server !== undefined && { server }),
    signer: toReferences(signer ?? [], base),
  }
}

function reportSettings(
  raw: NonNullable<Raw['report']>,
  base: string,
  state: string,
): ReportSettings {
  const { mail, ping } = raw
  const security = mail?.security ?? 'starttls'
  return {
    directory: raw.directory === undefined ? join(state, 'reports') : resolve(base, raw.directory),
    ...(mail && {
      mail: {
        ...dropUndefined(mail),
        host: mail.host,
        from: mail.from,
        to: mail.to,
        port: mail.port ?? (security === 'tls' ? 465 : 587),
        security,
        ...(mail.password && { password: resolveSecret(mail.password, base) }),
      } as MailSettings,
    }),
    ...(ping !== undefined && { ping }),
    ...(raw.metrics !== undefined && { metrics: resolve(base, raw.metrics) }),
    everyHours: raw.everyHours ?? 24,
    drillDays: raw.drillDays ?? 100,
  }
}

function auditSettings(raw: Raw['audit']): AuditSettings {
  const { days, detailDays } = typeof raw === 'object' ? raw : {}
  return {
    records: raw !== 'off',
    required: raw !== undefined && raw !== 'off',
    days: days ?? 365,
    detailDays: detailDays ?? 90,
  }
}

function resolveSecret(secret: SecretSource, base: string): SecretSource {
  return 'file' in secret ? { file: resolve(base, secret.file) } : secret
}

function dropUndefined<T extends object>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}
