import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from '../config/zod.ts'
import { checkReaches, headOf, type Ledger, type LedgerHead } from './ledger.ts'

const HEAD = z.strictObject({
  number: z.int().min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})

/**
 * Compares the ledger with how far this machine has seen it go before, and remembers how far it goes now: the last
 * records of a chain can be taken away without a trace in the rest.
 *
 * @param state absolute path of the directory for what pgveil remembers
 * @param label of the store
 * @throws Failure `integrity` where it has become shorter, or another one
 */
export async function rememberLedger(state: string, label: string, ledger: Ledger): Promise<void> {
  const folder = join(state, 'erasures')
  const id = createHash('sha256').update(label).digest('hex').slice(0, 16)
  const path = join(folder, `${id}.json`)
  const before = await recall(path)
  if (before) checkReaches(ledger, before, 'this machine')
  const now = headOf(ledger)
  if (!now || now.number === before?.number) return
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const temporary = `${path}.${process.pid}`
    await writeFile(temporary, `${JSON.stringify(now)}\n`, { mode: 0o600 })
    await rename(temporary, path)
  } catch {
    // A second pair of eyes: where this machine keeps nothing, manifests still say how far the ledger went.
  }
}

async function recall(path: string): Promise<LedgerHead | undefined> {
  try {
    const { data } = HEAD.safeParse(JSON.parse(await readFile(path, 'utf8')))
    return data
  } catch {
    return undefined
  }
}
