/**
 * pgveil as a library: the stages of masked copies and sealed backups, what comes after them, and what wires them. See
 * docs/library.md.
 */
export {
  loadConfig,
  type Configured,
  type ConfigRequest,
  type Needed,
  type Settings,
} from './config/config.ts'
export type { BackupSettings, KeyReference, Side } from './config/backup.ts'
export type { Flags } from './config/layers.ts'
export type {
  AuditSettings,
  ErasureSettings,
  MailSettings,
  OperationsSettings,
  ReportSettings,
  RetentionSettings,
  VerifySettings,
} from './config/operations.ts'
export { readSecret, type SecretSource } from './config/secret.ts'
export { EXIT_CODES, Failure, type FailureKind, type FailureOptions } from './errors.ts'

export { checkRules, planCopy, runCopy } from './copy/copy.ts'
export type { CheckOptions, CopyOptions } from './copy/options.ts'
export {
  planCopyFromBackup,
  runCopyFromBackup,
  type BackupCopyOptions,
} from './copy/from-backup/run.ts'

export { planBackup, runBackup, type BackupOptions } from './backup/run.ts'
export { runRestore, type RestoreOptions } from './backup/restore.ts'
export { listBackups, type ListOptions } from './backup/list.ts'
export { loadSigners } from './backup/keys.ts'
export type { Opening } from './backup/unlock.ts'
export { readManifest, type Manifest } from './backup/manifest.ts'

export { runVerify, type VerifyOptions } from './verify/run.ts'
export { loadVerifierKey } from './verify/keys.ts'
export { verificationSchema } from './verify/rules.ts'
export type { Finding, Outcome, Verdict, VerdictStep } from './verify/verdict.ts'

export { runReport, type ReportRunOptions } from './daily/run.ts'
export type { DailyReport } from './daily/facts.ts'
export { FORMATS as REPORT_FORMATS, type Format as ReportFormat } from './report/daily/formats.ts'

export { pruneBackups, type PruneOptions } from './retention/prune.ts'

export {
  listErasures,
  recordErasures,
  type LedgerOptions,
  type RecordOptions,
} from './erasure/record.ts'

export {
  listAuditRuns,
  verifyAudit,
  type ListRunsOptions,
  type VerifyAuditOptions,
} from './audit/inspect.ts'

export { MASKS } from './mask/registry.ts'
export { openMask } from './mask/open.ts'
export {
  Output,
  type Codec,
  type Dictionary,
  type Mask,
  type MaskDefinition,
  type MaskRequest,
  type PreparedMask,
  type Row,
} from './mask/mask.ts'
export { planMasks, type PlanRequest } from './mask/plan.ts'
export type { PlannedMask, TablePlan } from './mask/table-plan.ts'
export {
  parseRules,
  readRules,
  type ColumnRule,
  type RuleFile,
  type TableRule,
} from './mask/rules.ts'
export { ruleSchema } from './mask/rule-schema.ts'

export { openEnvelope, sealEnvelope, type EnvelopeOpener } from './seal/envelope.ts'
export { GpgOpener } from './seal/gpg-opener.ts'
export { KeyRing, readPrivateKeys, unlockKey } from './seal/key-ring.ts'
export { readPublicKeys, type PublicKeyFile } from './seal/keys.ts'
export { openStore } from './store/open.ts'
export type { ObjectWriter, Store, StoredObject, StoreSettings } from './store/store.ts'

export { parseEndpoint, type Endpoint } from './postgres/connect.ts'
export type { Catalog, Column, Table, TypeClass } from './postgres/catalog.ts'
export { readCatalog } from './source/catalog.ts'
export { openSnapshot, type ServerFacts, type Snapshot } from './source/snapshot.ts'

export type {
  AuditEvent,
  AuditRun,
  BackupReport,
  BackupsEvent,
  CopyReport,
  Emit,
  ErasedRows,
  ErasureRecordEvent,
  ErasuresEvent,
  Event,
  ListedBackup,
  Phase,
  PlannedColumn,
  PlannedTable,
  PruneEvent,
  RestoreReport,
  TableEvent,
} from './report/events.ts'
export { createReporter, type Reporter } from './report/reporter.ts'
