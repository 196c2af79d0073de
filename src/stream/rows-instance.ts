import { ROWS_MODULE } from './rows-module.ts'

/** What of JavaScript's own WebAssembly is used here: Node's types leave it out. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object) => { exports: unknown }
}

interface Counter {
  readonly value: bigint
}

/** What rows.wat exports; addresses are offsets into `memory`. */
export interface RowsExports {
  memory: { buffer: ArrayBuffer }
  key(low: bigint, high: bigint): void
  reset(): void
  hash(start: number, end: number): number
  strip(start: number, end: number, out: number): number
  out: { readonly value: number }
  low: Counter
  high: Counter
  rows: Counter
  messages: Counter
  length: Counter
}

let compiled: object | undefined
/** Instances that nobody uses: the garbage collector sees nothing of the megabytes that each holds. */
const spare: RowsExports[] = []

/** An instance with 4 MiB of memory of its own, in whatever state it was left; compiled once per process. */
export function openRows(): RowsExports {
  compiled ??= new WebAssembly.Module(Buffer.from(ROWS_MODULE, 'base64'))
  return spare.pop() ?? (new WebAssembly.Instance(compiled).exports as RowsExports)
}

/** Takes back an instance, which is somebody else's from then on. */
export function closeRows(rows: RowsExports): void {
  spare.push(rows)
}
