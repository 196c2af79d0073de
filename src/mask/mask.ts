import type { ZodType } from 'zod'
import type { TypeClass } from '../postgres/catalog.ts'
import { copy, heap, LOOP, RESULT } from './kernel.ts'

export type { TypeClass } from '../postgres/catalog.ts'

/**
 * The contract between masks and row codecs.
 *
 * A mask lives in two halves. The parent process *prepares* it from a rule and the facts of the column:
 * checks options, proves capacity, builds dictionaries. The result is plain data that travels to the
 * worker processes, where it is *opened* as a function over bytes that allocates nothing per value.
 */

/**
 * Bytes that masks append to, `bytes[start, length)`. Grows; never shrinks, except by {@link Output.clear}.
 *
 * Those that leave for a server lie in the kernel's memory, where it can write, as long as they fit.
 */
export class Output {
  bytes: Buffer
  length: number
  /** Where the first byte goes. */
  readonly start: number
  /** Where the room for bytes ends. */
  #limit: number
  readonly #homeLimit: number

  /** @param at an address in the kernel's memory with room for `capacity` bytes; undefined: it has a buffer of its own */
  constructor(capacity: number, at?: number) {
    this.bytes = at === undefined ? Buffer.allocUnsafeSlow(capacity) : heap
    this.start = at ?? 0
    this.length = this.start
    this.#homeLimit = at === undefined ? 0 : at + capacity
    this.#limit = this.start + capacity
  }

  /** Makes room for `count` more bytes. Read `bytes` again afterwards: it may be another buffer, with the same offsets. */
  reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.#limit) return
    const doubled = this.start + 2 * (this.#limit - this.start)
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, doubled))
    this.bytes.copy(grown, this.start, this.start, this.length)
    this.bytes = grown
    this.#limit = grown.length
  }

  /** The address where the kernel can write `count` bytes, which {@link wrote} then appends. */
  room(count: number): number {
    this.reserve(count)
    return this.bytes === heap ? this.length : RESULT
  }

  /** Appends what the kernel wrote from {@link room} up to `end`. */
  wrote(end: number): void {
    if (this.bytes === heap) this.length = end
    else this.append(heap, RESULT, end)
  }

  /** Appends `source[start, end)`: by a loop where the run is so short that a call costs more than the bytes. */
  append(source: Uint8Array, start: number, end: number): void {
    const count = end - start
    this.reserve(count)
    const target = this.bytes
    let at = this.length
    this.length = at + count
    if (source === heap && target === heap) copy(start, end, at)
    else if (count <= LOOP) for (let i = start; i < end; i++) target[at++] = source[i]!
    else target.set(source.subarray(start, end), at)
  }

  /** Empties it, for others to use; a buffer that one huge value made it grow into is not kept. */
  clear(): void {
    this.length = this.start
    if (this.#homeLimit === 0 || this.bytes === heap) return
    this.bytes = heap
    this.#limit = this.#homeLimit
  }
}

/**
 * The fields of the row in hand, for masks that look at their neighbours. `start[i]` is -1 where
 * column `i` is NULL; offsets are valid only for columns that some mask of the table asked for.
 */
export interface Row {
  bytes: Uint8Array
  start: Int32Array
  end: Int32Array
}

/**
 * Appends the mask of `bytes[start, end)` to `out`. Returns false, with nothing appended, where the
 * masked value is NULL. Never called for NULL. For text types the bytes are the UTF-8 text, unescaped; for
 * others what the codec carries: the type's binary send form, or its text output form.
 *
 * Must not keep `bytes`, must not throw for any input (bytes that are no valid UTF-8 included).
 */
export type Mask = (bytes: Uint8Array, start: number, end: number, out: Output, row: Row) => boolean

/** How rows travel: COPY's binary or its text format. */
export type Codec = 'binary' | 'text'

/** Flat list of byte strings: entry `i` is `bytes[offsets[i], offsets[i + 1])`. */
export interface Dictionary {
  bytes: Uint8Array
  offsets: Uint32Array
}

/** What a definition may know of the columns that share a mask and a domain. */
export interface MaskRequest {
  /** The mask's options as the rule file gives them, already checked against `options`. */
  options: Readonly<Record<string, unknown>>
  /** Type class of this column. */
  type: TypeClass
  /** Least length limit, in characters, over the columns of the domain; undefined: no limit. */
  maxChars: number | undefined
  /** A unique index or primary key needs distinct originals to stay distinct. */
  unique: boolean
  /** Upper bound of distinct originals in the domain (rows of all its columns together). */
  rows: number
  /** faker locale of the table, like `hu`. */
  locale: string
  /** Whether the target's encoding has this code point. */
  encodable: (codePoint: number) => boolean
  /** 32 secret bytes, the same for all columns of the domain. */
  key: Uint8Array
  /** Index, in the row, of the columns of this table under other masks, by mask name: for coherence. */
  companions: Readonly<Record<string, number>>
  /** Index in the row of a column of this table by name; undefined where there is none. */
  column: (name: string) => number | undefined
}

/** A mask ready to travel to a worker: plain data, structured-cloneable. */
export interface PreparedMask {
  /** Which opener understands it. */
  kind: string
  /** Secret bytes, already derived for this purpose. */
  key: Uint8Array
  /** Anything else the opener needs; plain data. */
  params: Readonly<Record<string, unknown>>
  /** Dictionaries by the role the opener gives them. Equal dictionaries are the same object. */
  dictionaries: Readonly<Record<string, Dictionary>>
  /** Columns of the row whose offsets the mask reads besides its own. */
  reads: readonly number[]
  /** Distinct originals (after normalisation) give distinct masks, or collide with negligible probability. */
  injective: boolean
  /** The mask maps originals that differ only in case, spacing or Unicode form to one value. */
  normalizes: boolean
  /** What was proven, for the plan: like `45 bits over 120,000 rows`. */
  proof?: string
}

/** A mask as the rule file names it. */
export interface MaskDefinition {
  name: string
  /** One line for documentation and help, in lower case without a full stop. */
  summary: string
  /** Type classes it takes; for any other the rule is refused. */
  types: readonly TypeClass[]
  /**
   * The values travel as text whatever the type: the table is copied by the text codec, and the type's
   * own input function on the target judges the result. For `function`, `faker` and `template`.
   */
  anyTypeAsText?: boolean
  /** Checks the options other than `mask domain when normalize`: strict, with a message per option. */
  options: ZodType<Record<string, unknown>>
  /**
   * Decides everything that can be decided before a row moves.
   *
   * @throws Failure `refused` where the mask cannot fit the type, the length or the capacity
   */
  prepare(request: MaskRequest): PreparedMask | Promise<PreparedMask>
}

/** Turns prepared masks of one kind into functions, in the worker. */
export type MaskOpener = (
  prepared: PreparedMask,
  type: TypeClass,
  codec: Codec,
) => Mask | Promise<Mask>
