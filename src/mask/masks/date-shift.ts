import { KeyedHash, Stream } from '../keyed.ts'
import type { Codec, Mask, MaskOpener, Output, Row, TypeClass } from '../mask.ts'
import { appendInteger } from './compose.ts'

/** `params` of a prepared mask of kind `date-shift`. */
export interface DateShiftParams {
  /** Most days that a date moves either way. */
  days: number
  /** Index in the row of the column whose value decides the shift; undefined: the date itself. */
  by?: number
}

/** Days are counted from 2000-01-01, as PostgreSQL does. */
const FIRST_DAY = -2_451_545
const LAST_DATE = 2_145_031_948
const LAST_TIMESTAMP_DAY = 106_751_990

const DAY_MICROSECONDS = 86_400_000_000
const TWO_32 = 4_294_967_296
const INFINITE_DATE = [0x7fff_ffff, -0x8000_0000] as const
/** High words of the timestamps that stand for infinity. */
const INFINITE_HIGH = [0x7fff_ffff, -0x8000_0000] as const
/** High words beyond which microseconds are no exact double. */
const EXACT_HIGH = 2 ** 20

const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const BC = Buffer.from(' BC', 'latin1')

/** Days since 2000-01-01 of a Gregorian date, after H. Hinnant, "chrono-compatible low-level date algorithms". */
function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 730_425
}

/** Appends the date of a day as `YYYY-MM-DD`; returns whether it lies before year 1. */
function appendDate(out: Output, day: number): boolean {
  const shifted = day + 730_425
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthIndex = Math.floor((5 * dayOfYear + 2) / 153)
  const month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
  const year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
  const shown = year > 0 ? year : 1 - year
  out.reserve(16)
  for (let least = 1000; shown < least && least > 1; least /= 10) out.bytes[out.length++] = ZERO
  appendInteger(out, shown)
  appendPair(out, month)
  appendPair(out, dayOfYear - Math.floor((153 * monthIndex + 2) / 5) + 1)
  return year <= 0
}

/** Appends `-` and two digits. */
function appendPair(out: Output, value: number): void {
  out.reserve(3)
  out.bytes[out.length++] = MINUS
  out.bytes[out.length++] = ZERO + Math.floor(value / 10)
  out.bytes[out.length++] = ZERO + (value % 10)
}

/** Draws the shift of a day or of a row. */
class Shift {
  readonly #days: number
  readonly #by: number | undefined
  readonly #hash: KeyedHash
  readonly #stream = new Stream()
  readonly #day = Buffer.alloc(4)
  readonly #lastDay: number

  constructor(key: Uint8Array, { days, by }: DateShiftParams, lastDay: number) {
    this.#days = days
    this.#by = by
    this.#hash = new KeyedHash(key)
    this.#lastDay = lastDay
  }

  /** `day` moved by -days to days, and never by none. */
  move(day: number, row: Row): number {
    const by = this.#by
    if (by !== undefined && row.start[by]! >= 0) {
      this.#hash.hash(row.bytes, row.start[by]!, row.end[by]!)
    } else {
      for (let i = 0; i < 4; i++) this.#day[i] = day >> (i * 8)
      this.#hash.hash(this.#day, 0, 4)
    }
    this.#stream.seed(this.#hash)
    const drawn = this.#stream.below(2 * this.#days)
    const shift = drawn < this.#days ? drawn - this.#days : drawn - this.#days + 1
    const moved = day + shift
    return moved < FIRST_DAY || moved > this.#lastDay ? day - shift : moved
  }
}

function int32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

function appendInt32(out: Output, value: number): void {
  for (let shift = 24; shift >= 0; shift -= 8) out.bytes[out.length++] = value >>> shift
}

function openBinaryDate(shift: Shift): Mask {
  return (bytes, start, _end, out, row) => {
    const day = int32(bytes, start)
    out.reserve(4)
    const infinite = day === INFINITE_DATE[0] || day === INFINITE_DATE[1]
    appendInt32(out, infinite ? day : shift.move(day, row))
    return true
  }
}

function openBinaryTimestamp(shift: Shift): Mask {
  return (bytes, start, end, out, row) => {
    const high = int32(bytes, start)
    if (high === INFINITE_HIGH[0] || high === INFINITE_HIGH[1]) {
      const low = int32(bytes, start + 4)
      if (low === (high < 0 ? 0 : -1)) {
        out.append(bytes, start, end)
        return true
      }
    }
    out.reserve(8)
    if (high < EXACT_HIGH && high >= -EXACT_HIGH) {
      const microseconds = high * TWO_32 + (int32(bytes, start + 4) >>> 0)
      const day = Math.floor(microseconds / DAY_MICROSECONDS)
      const moved = microseconds + (shift.move(day, row) - day) * DAY_MICROSECONDS
      const movedHigh = Math.floor(moved / TWO_32)
      appendInt32(out, movedHigh)
      appendInt32(out, moved - movedHigh * TWO_32)
    } else {
      const view = new DataView(bytes.buffer, bytes.byteOffset + start, 8)
      const microseconds = view.getBigInt64(0)
      const size = BigInt(DAY_MICROSECONDS)
      const timeOfDay = ((microseconds % size) + size) % size
      const day = Number((microseconds - timeOfDay) / size)
      out.bytes.writeBigInt64BE(BigInt(shift.move(day, row)) * size + timeOfDay, out.length)
      out.length += 8
    }
    return true
  }
}

/** Reads the digits at `at` up to the next byte that is none; the result is -1 where there are none. */
function readDigits(bytes: Uint8Array, at: number, end: number): number {
  let value = -1
  for (; at < end && bytes[at]! >= ZERO && bytes[at]! <= NINE; at++) {
    value = Math.max(value, 0) * 10 + bytes[at]! - ZERO
  }
  return value
}

/**
 * Text in the ISO date style, `2024-02-29 12:00:00+00 BC`: the date moves, the time stays. What is no such date and not
 * infinite becomes a date near 2000-01-01, for it must not pass as it is.
 */
function openText(shift: Shift): Mask {
  return (bytes, start, end, out, row) => {
    if (end - start <= 9 && (bytes[end - 1] === 0x79 || bytes[end - 1] === 0x59)) {
      out.append(bytes, start, end)
      return true
    }
    let yearEnd = start
    while (yearEnd < end && bytes[yearEnd] !== MINUS) yearEnd++
    const year = readDigits(bytes, start, yearEnd)
    const month = readDigits(bytes, yearEnd + 1, end)
    const day = readDigits(bytes, yearEnd + 4, end)
    if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31) {
      appendDate(out, shift.move(0, row))
      return true
    }
    const before =
      end - start > 3 && bytes[end - 2] === 0x42 && bytes[end - 1] === 0x43 ? BC.length : 0
    const moved = shift.move(daysFromCivil(before ? 1 - year : year, month, day), row)
    const movedBefore = appendDate(out, moved)
    out.append(bytes, yearEnd + 6, end - before)
    if (movedBefore) out.append(BC, 0, BC.length)
    return true
  }
}

function openFor(shift: Shift, type: TypeClass, codec: Codec): Mask {
  if (codec === 'text') return openText(shift)
  return type === 'date' ? openBinaryDate(shift) : openBinaryTimestamp(shift)
}

/**
 * Dates moved by some days; the time of day stays. Binary and text agree where the session's time zone is UTC and its date style
 * is ISO.
 */
export const openDateShift: MaskOpener = (prepared, type, codec): Mask => {
  const params = prepared.params as unknown as DateShiftParams
  const lastDay = type === 'date' ? LAST_DATE : LAST_TIMESTAMP_DAY
  return openFor(new Shift(prepared.key, params, lastDay), type, codec)
}
