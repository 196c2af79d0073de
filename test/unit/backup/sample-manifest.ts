import { FORMAT, type Manifest } from '../../../src/backup/manifest.ts'

/** A SHA-256 of something. */
export const HEX = 'a1'.repeat(32)

/** A manifest as a backup with two sides and without tables has it. */
export function sampleManifest(change: Partial<Manifest> = {}): Manifest {
  return {
    format: FORMAT,
    tool: 'pgveil test',
    label: '20261122T020000Z-crm',
    name: 'crm',
    sequence: 3,
    previous: { label: '20261121T020000Z-crm', sha256: HEX },
    started: '2026-11-22T02:00:00Z',
    source: {
      systemIdentifier: null,
      database: 'crm',
      version: '18.4',
      versionNumber: 180004,
      encoding: 'UTF8',
      collate: 'hu_HU.UTF-8',
      ctype: 'hu_HU.UTF-8',
      localeProvider: 'c',
      locale: null,
      icuRules: null,
      lcMonetary: 'C',
      extensions: { plpgsql: '1.0', citext: '1.6' },
      roles: ['crm_app'],
      snapshot: '0000-1',
      lsn: '0/1234',
      time: '2026-11-22T02:00:00Z',
    },
    seal: {
      sides: [
        { name: 'operations', half: HEX, recipients: ['A'.repeat(40), 'B'.repeat(40)] },
        { name: 'offline', half: HEX, recipients: ['C'.repeat(40)] },
      ],
      verifier: [],
    },
    structure: { major: 18, digest: HEX, counts: {} },
    tables: [],
    sequences: [],
    views: [],
    largeObjects: { count: 0, bytes: 0 },
    warnings: [],
    objects: [],
    ...change,
  }
}
