import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from '@jest/globals'
import { append, type Appended } from '../../../src/audit/log.ts'
import type { Told } from '../../../src/audit/record.ts'
import { verifyRecords } from '../../../src/audit/verify.ts'

const ROOT = mkdtempSync(join(tmpdir(), 'pgveil-audit-'))
afterAll(() => rmSync(ROOT, { recursive: true }))

let made = 0

/** Records of some runs in a directory of their own, and what an attacker would do to them. */
export class Records {
  readonly directory = join(ROOT, `${made++}`, 'audit')

  /** Adds a record at a time of a day, like `2026-11-22T02:00`. */
  add(time: string, told: Partial<Told> = {}, keepDays = 365): Promise<Appended> {
    const record = { event: 'start', run: time, command: 'backup', ...told }
    return append(this.directory, record, { time: new Date(`${time}:00Z`), keepDays })
  }

  /** Three days of records: 1 line that opens and 4 more each. */
  async fill(): Promise<this> {
    for (const day of ['20', '21', '22'])
      for (const hour of ['01', '02', '03', '04']) await this.add(`2026-11-${day}T${hour}:00`)
    return this
  }

  path(file: string): string {
    return join(this.directory, file)
  }

  names(): string[] {
    return readdirSync(this.directory).sort()
  }

  text(file: string): string {
    return readFileSync(this.path(file), 'utf8')
  }

  write(file: string, text: string): void {
    writeFileSync(this.path(file), text)
  }

  /** Changes the lines of a file. */
  edit(file: string, change: (lines: string[]) => string[]): void {
    const lines = this.text(file).split('\n').slice(0, -1)
    this.write(
      file,
      change(lines)
        .map((line) => `${line}\n`)
        .join(''),
    )
  }

  /** Where the records are broken, like `2026-11-21.jsonl:3 changed`; undefined: they are not. */
  async broken(): Promise<string | undefined> {
    const { broken } = await verifyRecords(this.directory, undefined)
    if (!broken) return undefined
    const line = broken.line === undefined ? '' : `:${broken.line}`
    return `${broken.file}${line} ${broken.kind}`
  }
}
