import { allocate, bring, DID, heap, move, scramble, scrambled, WINDOW, words } from '../kernel.ts'
import type { Stream } from '../keyed.ts'
import type { Output } from '../mask.ts'
import type { Original } from './identity.ts'

/** How often a value that equals its original is drawn anew. */
const DRAWS = 16

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80
}

/** Of what {@link scrambleText} did: a character was drawn; the bytes are others than before. */
export const DRAWN = 1
export const CHANGED = 2

/** Where a piece of at most {@link WINDOW} bytes ends: not within a character. */
function pieceEnd(bytes: Uint8Array, start: number, end: number): number {
  if (end - start <= WINDOW) return end
  const most = start + WINDOW
  let at = most
  while (at > most - 3 && isContinuation(bytes[at]!)) at--
  return isContinuation(bytes[at]!) ? most : at
}

/**
 * Appends `bytes[start, end)` with every letter and digit replaced; never more bytes than that.
 *
 * @returns {@link DRAWN} and {@link CHANGED} together
 */
export function scrambleText(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Output,
  stream: Stream,
  unicode: boolean,
): number {
  let did = 0
  stream.lend()
  for (let at = start; at < end;) {
    const stop = pieceEnd(bytes, at, end)
    const from = bring(bytes, at, stop)
    const to = out.room(stop - at)
    out.wrote(scramble(from, from + stop - at, to, unicode ? 1 : 0, at === start ? 0 : 1))
    did |= words[DID]!
    at = stop
  }
  stream.takeBack()
  return did
}

/** Bytes from the start and from the end of a long text that seed its random characters. */
const HEAD = 48
const TAIL = 16
/** Where both are put together. */
const ENDS = allocate(HEAD + TAIL)

/**
 * Reads an original that is to be scrambled. Of a long text only both ends count: equal texts stay equal, and what is
 * drawn tells nothing of the letters it replaces, whatever it was seeded with.
 */
export function readEnds(original: Original, bytes: Uint8Array, start: number, end: number): void {
  while (end > start && bytes[end - 1] === 0x20) end--
  while (start < end && bytes[start] === 0x20) start++
  if (end - start <= HEAD + TAIL) {
    original.read(bytes, start, end)
    return
  }
  let headEnd = start + HEAD
  while (headEnd > start && isContinuation(bytes[headEnd]!)) headEnd--
  let tailStart = end - TAIL
  while (tailStart < end && isContinuation(bytes[tailStart]!)) tailStart++
  const middle = ENDS + headEnd - start
  move(bytes, start, headEnd, ENDS)
  move(bytes, tailStart, end, middle)
  original.read(heap, ENDS, middle + end - tailStart)
}

/** {@link scrambleText} seeded by the value itself; drawn anew while nothing changed. */
export function scrambleValue(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Output,
  original: Original,
  unicode: boolean,
): void {
  if (end - start <= WINDOW) {
    const at = bring(bytes, start, end)
    const to = out.room(end - start)
    const written = scrambled(at, at + end - start, to, unicode ? 1 : 0, original.hash.key)
    if (written !== 0) return out.wrote(written)
  }
  readEnds(original, bytes, start, end)
  const from = out.length
  for (let i = 0; i < DRAWS; i++) {
    out.length = from
    if (scrambleText(bytes, start, end, out, original.stream, unicode) !== DRAWN) return
  }
}
