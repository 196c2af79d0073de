import { resolve } from 'node:path'
import { z } from './zod.ts'

/** How to open a store. Plain data: it travels to workers by IPC. Credentials are not part of it. */
export type StoreSettings = DirectorySettings | S3Settings

export interface DirectorySettings {
  kind: 'directory'
  /** Absolute. */
  path: string
  /** Bytes a second, over all objects of this process; undefined: no limit. */
  bandwidth?: number
}

export interface S3Settings {
  kind: 's3'
  bucket: string
  /** Without slashes at the ends; may be empty. */
  prefix: string
  region: string
  /** For MinIO, Ceph and the like: `https://host:port`. */
  endpoint?: string
  /** `https://host/bucket/key` instead of `https://bucket.host/key`. */
  pathStyle: boolean
  /** Regions that bytes may go to: names, or beginnings of names that end in `*`, like `eu-*`. */
  allowedRegions: string[]
  lock?: { mode: 'governance' | 'compliance'; days: number }
  bandwidth?: number
  /** `when-required` for servers that refuse checksum headers. */
  checksums: 'always' | 'when-required'
  /** Seconds without a byte after which a request counts as hung. */
  stallSeconds: number
}

/** Where backups may go unless configuration says otherwise: the European Union. */
export const DEFAULT_REGIONS = ['eu-*']
const STALL_SECONDS = 60

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9 }

const BANDWIDTH = z
  .string({ error: 'expected a rate like 50 MB/s' })
  .regex(/^\d+(\.\d+)? ?[kMG]?B\/s$/, 'expected a rate like 50 MB/s')
  .transform((text) => {
    const [, number = '', unit = ''] = /^([\d.]+) ?([kMG]?)B/.exec(text) ?? []
    return Math.round(Number(number) * (UNITS[unit] as number))
  })

const TEXT = z.string().min(1, 'expected text')

const S3 = z.strictObject({
  bucket: TEXT,
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9._/-]*$/, 'expected letters, digits and . _ - /')
    .optional(),
  region: TEXT,
  endpoint: z
    .string()
    .regex(/^https?:\/\/[^/?#@]+$/, 'expected a URL like https://host:port')
    .optional(),
  pathStyle: z.boolean().optional(),
  allowedRegions: z.array(TEXT).min(1, 'expected at least one region').optional(),
  lock: z
    .strictObject({
      mode: z.enum(['governance', 'compliance']),
      days: z.int().min(1, 'expected a whole number of days').max(36_500, 'expected fewer days'),
    })
    .optional(),
  checksums: z.enum(['always', 'when-required']).optional(),
  stallSeconds: z.int().min(5, 'expected 5 seconds or more').optional(),
})

/** The key `store` of pgveil.yaml. */
export const STORE_SCHEMA = z.union(
  [
    z.strictObject({ directory: TEXT, bandwidth: BANDWIDTH.optional() }),
    z.strictObject({ s3: S3, bandwidth: BANDWIDTH.optional() }),
  ],
  {
    error:
      'expected { directory: path } or { s3: { bucket, region, … } }, with bandwidth if wanted',
  },
)

/** Settings of a store as the stage takes them; relative paths count from `base`. */
export function storeSettings(value: z.output<typeof STORE_SCHEMA>, base: string): StoreSettings {
  const limit = value.bandwidth === undefined ? {} : { bandwidth: value.bandwidth }
  if ('directory' in value) {
    return { kind: 'directory', path: resolve(base, value.directory), ...limit }
  }
  const { s3 } = value
  return {
    kind: 's3',
    bucket: s3.bucket,
    prefix: (s3.prefix ?? '').replace(/^\/+|\/+$/g, ''),
    region: s3.region,
    ...(s3.endpoint !== undefined && { endpoint: s3.endpoint }),
    pathStyle: s3.pathStyle ?? s3.endpoint !== undefined,
    allowedRegions: s3.allowedRegions ?? DEFAULT_REGIONS,
    ...(s3.lock && { lock: s3.lock }),
    ...limit,
    checksums: s3.checksums ?? 'always',
    stallSeconds: s3.stallSeconds ?? STALL_SECONDS,
  }
}

/**
 * Reads a store from one argument: a directory, or `s3://bucket/prefix?region=…` with the keys of `store.s3`.
 *
 * @returns the settings, or why it is none
 */
export function parseStore(text: string, base: string): StoreSettings | { problem: string } {
  if (!text.startsWith('s3:')) return storeSettings({ directory: text }, base)
  if (!URL.canParse(text))
    return { problem: 'cannot be read; write s3://bucket/prefix?region=eu-central-1' }
  const url = new URL(text)
  if (url.username || url.password) return { problem: 'credentials do not belong here' }
  const { allowedRegions, pathStyle, stallSeconds, ...rest } = Object.fromEntries(url.searchParams)
  const s3 = S3.safeParse({
    ...rest,
    bucket: url.hostname,
    prefix: decodeURIComponent(url.pathname),
    ...(allowedRegions !== undefined && { allowedRegions: allowedRegions.split(',') }),
    ...(pathStyle !== undefined && { pathStyle: pathStyle === 'true' }),
    ...(stallSeconds !== undefined && { stallSeconds: Number(stallSeconds) }),
  })
  if (s3.success) return storeSettings({ s3: s3.data }, base)
  const [issue] = s3.error.issues
  const where = issue?.path.join('.')
  return { problem: `${where ? `${where}: ` : ''}${issue?.message ?? 'not understood'}` }
}
