import { appendEntry } from '../dictionary.ts'
import type { Dictionary, Mask, MaskOpener, Row } from '../mask.ts'
import { Original, type IdentityKind } from './identity.ts'

/** `params` of a prepared mask of kind `place`. Dictionaries: `city`, `code`, `state`. */
export interface PlaceParams {
  identity: IdentityKind
  /** What the column holds. */
  role: 'city' | 'code' | 'state'
  /** Index in the row of the column with the row's city. */
  city?: number
  /** Index in the row of the column with the row's postal code. */
  code?: number
  /** Codes of city `i` are those of [codeStart[i], codeStart[i + 1]). */
  codeStart: Uint32Array
  /** State of city `i`. */
  stateOf: Uint32Array
  /** City of code `i`. */
  cityOf: Uint32Array
  /** Secret bytes that decide the city and the code of a row, whichever column asks. */
  cityKey: Uint8Array
  codeKey: Uint8Array
}

/** Picks an entry for an original, another one where the first is the original itself. */
class Pick {
  readonly original: Original
  readonly #dictionary: Dictionary

  constructor(key: Uint8Array, identity: IdentityKind, dictionary: Dictionary) {
    this.original = new Original(key, identity)
    this.#dictionary = dictionary
  }

  /** An entry of [first, last). */
  within(bytes: Uint8Array, start: number, end: number, first: number, last: number): number {
    const { original } = this
    original.read(bytes, start, end)
    const index = first + original.stream.below(last - first)
    if (!this.#isOriginal(index)) return index
    return index + 1 < last ? index + 1 : first
  }

  any(bytes: Uint8Array, start: number, end: number): number {
    return this.within(bytes, start, end, 0, this.#dictionary.offsets.length - 1)
  }

  #isOriginal(index: number): boolean {
    const { bytes, offsets } = this.#dictionary
    return this.original.isSame(bytes, offsets[index]!, offsets[index + 1]!)
  }
}

/**
 * Cities, postal codes and states that agree within a row: the city depends on the row's original city
 * alone, the code is one of that city's, the state is that city's.
 */
export const openPlace: MaskOpener = (prepared): Mask => {
  const params = prepared.params as unknown as PlaceParams
  const { role, identity, codeStart, stateOf, cityOf } = params
  const {
    city: cities,
    code: codes,
    state: states,
  } = prepared.dictionaries as {
    city: Dictionary
    code: Dictionary
    state: Dictionary
  }
  const cityPick = new Pick(params.cityKey, identity, cities)
  const codePick = new Pick(params.codeKey, identity, codes)
  const statePick = new Pick(prepared.key, identity, states)

  const present = (row: Row, column: number | undefined): column is number =>
    column !== undefined && row.start[column]! >= 0
  const cityIn = (row: Row, column: number): number =>
    cityPick.any(row.bytes, row.start[column]!, row.end[column]!)

  if (role === 'city') {
    return (bytes, start, end, out) => {
      appendEntry(out, cities, cityPick.any(bytes, start, end))
      return true
    }
  }
  if (role === 'code') {
    return (bytes, start, end, out, row) => {
      let index: number
      if (present(row, params.city)) {
        const city = cityIn(row, params.city)
        index = codePick.within(bytes, start, end, codeStart[city]!, codeStart[city + 1]!)
      } else {
        index = codePick.any(bytes, start, end)
      }
      appendEntry(out, codes, index)
      return true
    }
  }
  return (bytes, start, end, out, row) => {
    let index: number
    if (present(row, params.city)) index = stateOf[cityIn(row, params.city)]!
    else if (present(row, params.code)) {
      index =
        stateOf[cityOf[codePick.any(row.bytes, row.start[params.code]!, row.end[params.code]!)]!]!
    } else {
      index = statePick.any(bytes, start, end)
    }
    appendEntry(out, states, index)
    return true
  }
}
