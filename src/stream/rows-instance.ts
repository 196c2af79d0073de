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

/** A new instance with 4 MiB of memory of its own; compiled once per process. */
export function openRows(): RowsExports {
  compiled ??= new WebAssembly.Module(Buffer.from(ROWS_MODULE, 'base64'))
  return new WebAssembly.Instance(compiled).exports as RowsExports
}
