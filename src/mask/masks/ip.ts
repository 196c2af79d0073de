import { isIPv4, isIPv6 } from 'node:net'
import type { Mask, MaskOpener, Output } from '../mask.ts'
import { appendInteger } from './compose.ts'
import { Original, type IdentityKind } from './identity.ts'

/** `params` of a prepared mask of kind `ip`. */
export interface IpParams {
  identity: IdentityKind
  /** Characters that a text may have. */
  maxChars?: number
}

/** The family byte of IPv6 in PostgreSQL's binary form of inet; any other is IPv4. */
const FAMILY_6 = 3
const BINARY_HEADER = 4
const DOT = 0x2e
const COLON = 0x3a
const SLASH = 0x2f

/** Private use (RFC 1918): no such address is reachable from outside, and there are 2^24 of them. */
const PREFIX_4 = [10] as const
/** Documentation (RFC 3849). */
const PREFIX_6 = [0x20, 0x01, 0x0d, 0xb8] as const
/** Characters of `2001:db8:` and of a further group with its colon. */
const PREFIX_6_CHARS = 9
const GROUP_CHARS = 5
const GROUPS_6 = 6

/** An address with its prefix length; 4 or 16 bytes. */
interface Address {
  bytes: Uint8Array
  prefix: number
}

function hextets(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [Number.parseInt(part, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number)
    return [(a << 8) | b, (c << 8) | d]
  })
}

function bytesOf(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split('.').map(Number))
  const [left = '', right] = text.split('::')
  const head = hextets(left)
  const tail = right === undefined ? [] : hextets(right)
  const zeros = Array<number>(8 - head.length - tail.length).fill(0)
  return Uint8Array.from([...head, ...zeros, ...tail].flatMap((group) => [group >> 8, group & 255]))
}

/** The address that a text is; undefined where it is none. */
function parseAddress(text: string): Address | undefined {
  const [address = '', length, rest] = text.trim().split('/')
  const isV4 = isIPv4(address)
  if ((!isV4 && !isIPv6(address)) || address.includes('%') || rest !== undefined) return undefined
  const bits = isV4 ? 32 : 128
  const prefix = length === undefined ? bits : Number(length)
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > bits) return undefined
  return { bytes: bytesOf(address), prefix }
}

/** Clears what lies behind the prefix. */
function clearHost(bytes: Uint8Array, prefix: number): void {
  for (let i = 0; i < bytes.length; i++) {
    const kept = Math.min(8, Math.max(0, prefix - i * 8))
    bytes[i]! &= 0xff << (8 - kept)
  }
}

/** Whether anything is set behind the prefix of `bytes[start, start + size)`. */
function hasHost(bytes: Uint8Array, start: number, size: number, prefix: number): boolean {
  for (let i = prefix >> 3; i < size; i++) {
    const kept = Math.max(0, prefix - i * 8)
    if ((bytes[start + i]! & (0xff >> kept)) !== 0) return true
  }
  return false
}

/** Masks addresses one at a time: the reserved prefix of the family, then bits of the tag. */
class AddressMask {
  readonly #original: Original
  readonly #masked: readonly [Uint8Array, Uint8Array] = [Buffer.alloc(4), Buffer.alloc(16)]

  constructor(original: Original) {
    this.#original = original
  }

  /** The mask of a value that is no address: an IPv4 address. */
  ofText(bytes: Uint8Array, start: number, end: number): Uint8Array {
    this.#original.read(bytes, start, end)
    return this.#fromTag(4)
  }

  /** The mask of `bytes[start, start + size)`; a network, where nothing is set behind its prefix. */
  ofAddress(bytes: Uint8Array, start: number, size: number, prefix: number): Uint8Array {
    this.#original.read(bytes, start, start + size)
    const masked = this.#fromTag(size)
    if (!hasHost(bytes, start, size, prefix)) clearHost(masked, prefix)
    return masked
  }

  #fromTag(size: number): Uint8Array {
    const masked = this.#masked[size === 4 ? 0 : 1]
    const { t0, t1, t2, t3 } = this.#original.hash
    for (let i = 0; i < size; i++) {
      const word = i < 4 ? t0 : i < 8 ? t1 : i < 12 ? t2 : t3
      masked[i] = word >>> ((i & 3) * 8)
    }
    masked.set(size === 4 ? PREFIX_4 : PREFIX_6)
    return masked
  }
}

function appendAddress(out: Output, bytes: Uint8Array, groups: number): void {
  out.reserve(48)
  if (bytes.length === 4) {
    bytes.forEach((byte, i) => {
      if (i > 0) out.bytes[out.length++] = DOT
      appendInteger(out, byte)
    })
    return
  }
  for (let i = 0; i < 2 + groups; i++) {
    if (i > 0) out.bytes[out.length++] = COLON
    if (i === 2 && groups < GROUPS_6) out.bytes[out.length++] = COLON
    const at = i < 2 ? i * 2 : 16 - (groups - i + 2) * 2
    const group = ((bytes[at]! << 8) | bytes[at + 1]!).toString(16)
    out.length += out.bytes.write(group, out.length, 'latin1')
  }
}

function openText(mask: AddressMask, maxChars: number, keepsPrefix: boolean): Mask {
  const groups = Math.min(GROUPS_6, Math.floor((maxChars - PREFIX_6_CHARS) / GROUP_CHARS))
  return (bytes, start, end, out) => {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
    const address = parseAddress(text)
    if (!address) {
      // A host name, a list, an address with a port: an address of its own text.
      appendAddress(out, mask.ofText(bytes, start, end), groups)
      return true
    }
    const size = address.bytes.length
    appendAddress(out, mask.ofAddress(address.bytes, 0, size, address.prefix), groups)
    if (keepsPrefix && address.prefix < size * 8) {
      out.bytes[out.length++] = SLASH
      appendInteger(out, address.prefix)
    }
    return true
  }
}

function openBinary(mask: AddressMask): Mask {
  return (bytes, start, _end, out) => {
    const size = bytes[start] === FAMILY_6 ? 16 : 4
    const masked = mask.ofAddress(bytes, start + BINARY_HEADER, size, bytes[start + 1]!)
    out.append(bytes, start, start + BINARY_HEADER)
    out.append(masked, 0, size)
    return true
  }
}

/**
 * Addresses of the same family in ranges that are routed nowhere. A network stays a network of the same
 * prefix length.
 */
export const openIp: MaskOpener = (prepared, type, codec): Mask => {
  const { identity, maxChars = Number.POSITIVE_INFINITY } = prepared.params as unknown as IpParams
  const mask = new AddressMask(new Original(prepared.key, type === 'inet' ? 'raw' : identity))
  if (type === 'inet' && codec === 'binary') return openBinary(mask)
  return openText(mask, maxChars, type === 'inet')
}
