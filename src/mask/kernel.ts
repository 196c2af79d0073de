import { createHash } from 'node:crypto'
import { Failure } from '../errors.ts'
import { CAPITAL, classOf, DIGIT, KEPT } from './characters.ts'
import { KERNEL_MODULE } from './kernel-module.ts'

/**
 * The inner loops of masks, in WebAssembly: kernel.wat. JavaScript does a byte at a time what it does with sixteen.
 *
 * It sees no memory but its own, {@link heap}. So rows are masked there: those that arrive are copied in, a chunk at a time,
 * and masked ones leave from there. Masks take bytes from anywhere; what lies elsewhere is brought in.
 */

/** What of JavaScript's own WebAssembly is used here: Node's types leave it out. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object, imports: object) => { exports: unknown }
}

interface KernelExports {
  memory: { buffer: ArrayBuffer }
  copy: (from: number, end: number, to: number) => void
  canonical: (start: number, end: number, to: number) => number
  hash: (start: number, end: number, key: number, resumed: number, more: number) => void
  phone: (start: number, end: number, to: number, numbering: number) => number
  aes: (schedule: number, last: number, w0: number, w1: number, w2: number, w3: number) => void
  ff1: (parameters: number, high: number, low: number) => void
  compose: (program: number, to: number) => number
  replace: (
    start: number,
    end: number,
    key: number,
    numbering: number,
    program: number,
    to: number,
  ) => number
  scramble: (start: number, end: number, to: number, unicode: number, resumed: number) => number
  scrambled: (start: number, end: number, to: number, unicode: number, key: number) => number
  json: (
    start: number,
    end: number,
    to: number,
    unicode: number,
    last: number,
    key: number,
  ) => number
}

const {
  memory,
  aes,
  canonical,
  compose,
  copy,
  ff1,
  hash,
  json,
  phone,
  replace,
  scramble,
  scrambled,
} = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(KERNEL_MODULE, 'base64')), {
  kernel: { classify: classOf },
}).exports as KernelExports

export { aes, canonical, compose, copy, ff1, hash, json, phone, replace, scramble, scrambled }

/** All of the kernel's memory: addresses are offsets into it. Of its 64 MiB only what is used takes room. */
export const heap = Buffer.from(memory.buffer)

const view = new DataView(memory.buffer)

/** Bytes as numbers of any size, of which the engine makes one load or store each. */
export function viewOf(bytes: Uint8Array): DataView {
  return bytes === heap ? view : new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** The same in words. */
export const words = new Int32Array(memory.buffer)

/** The same in doubles. */
export const doubles = new Float64Array(memory.buffer)

/** Bytes that may be read and written beyond what was asked for. */
export const SLACK = 16

/** Most bytes of a value from elsewhere that fit at once. */
export const WINDOW = 64 * 1024

// As kernel.wat has them.
export const TEXT_STEPS = 0
export const AFTER_BYTE = 0x1400
export const OWN_FORMS = 0x2c80
const LETTERS = 0x1600
const CAPITALS = 0x1700
const POSITIONS = 0x1800
/** Index into {@link words}. */
export const TAG = 0x2000 / 4
export const STREAM = 0x2010 / 4
export const DID = 0x2020 / 4
export const STOPPED = 0x2024 / 4

/** Index into {@link doubles}. */
export const HALVES = 0x2050 / 8
export const BLOCK = 0x2060 / 4
export const AES_TABLE = 0x2400
export const AES_SBOX = 0x2800
const SUFFIX_CHARACTERS = 0x2030

/** Characters of suffixes: lower case only, so that they stay distinct under any collation; without l, o, 0, 1. */
heap.write('abcdefghijkmnpqrstuvwxyz23456789', SUFFIX_CHARACTERS, 'latin1')

const FREE = 0x4000
/** Longest text whose canonical form is made here. */
export const LONGEST_CANONICAL = 4096
/** Where the canonical form of an original goes, and that of a candidate which is compared with it. */
export const ORIGINAL = FREE
export const CANDIDATE = ORIGINAL + LONGEST_CANONICAL + SLACK
const BROUGHT = CANDIDATE + LONGEST_CANONICAL + SLACK
/** Where a result goes whose place is elsewhere. */
export const RESULT = BROUGHT + WINDOW + SLACK
/** Where rows arrive. */
const INPUT = RESULT + WINDOW + SLACK
/** A multiple of 16, as all of the above. */
let allocated = INPUT + WINDOW + SLACK

const letters = new BigUint64Array(memory.buffer, LETTERS, 32)
const capitals = new BigUint64Array(memory.buffer, CAPITALS, 32)
for (let codePoint = 0x80; codePoint < 0x800; codePoint++) {
  const bit = 1n << BigInt(codePoint & 0x3f)
  const kind = classOf(codePoint)
  // Digits of other scripts are seldom, and are drawn as digits.
  if (kind === KEPT || kind === DIGIT) continue
  letters[codePoint >> 6]! |= bit
  if (kind === CAPITAL) capitals[codePoint >> 6]! |= bit
}
for (let mask = 0; mask < 256; mask++) {
  for (let bit = 0, at = POSITIONS + mask * 8; bit < 8; bit++)
    if (mask & (1 << bit)) heap[at++] = bit
}

/**
 * The address of `count` bytes that nobody else uses, for ever; a multiple of 16.
 *
 * @throws Failure `refused` where the memory is full
 */
export function allocate(count: number): number {
  const at = allocated
  const next = (at + count + 2 * SLACK - 1) & -SLACK
  if (next > heap.length) {
    throw new Failure('refused', 'the lists of all masks together take more than 60 MB')
  }
  allocated = next
  return at
}

/** Addresses of what is kept, by digest. */
const kept = new Map<string, number>()

/**
 * The address of bytes that are these, for ever: of equal ones, of which every job brings its own, the same.
 *
 * @throws Failure `refused` where the memory is full
 */
export function keep(bytes: Uint8Array): number {
  const digest = createHash('sha256').update(bytes).digest('base64')
  const known = kept.get(digest)
  if (known !== undefined) return known
  const at = allocate(bytes.length)
  heap.set(bytes, at)
  kept.set(digest, at)
  return at
}

/** Copies `bytes[start, end)` to an address. */
export function move(bytes: Uint8Array, start: number, end: number, to: number): void {
  if (bytes === heap) copy(start, end, to)
  else if (end - start > LOOP) heap.set(bytes.subarray(start, end), to)
  else for (let i = start, at = to; i < end; i++) heap[at++] = bytes[i]!
}

/** The address of `bytes[start, end)`, of at most {@link WINDOW} bytes; valid until the next call. */
export function bring(bytes: Uint8Array, start: number, end: number): number {
  if (bytes === heap) return start
  move(bytes, start, end, BROUGHT)
  return BROUGHT
}

/** Longest run that a loop copies faster than the engine does. */
export const LOOP = 96

/** Copies rows to where they are masked; undefined where they do not fit. Valid until the next call. */
export function bringRows(chunk: Uint8Array, start: number, end: number): number | undefined {
  if (end - start > WINDOW) return undefined
  heap.set(chunk.subarray(start, end), INPUT)
  return INPUT
}
