/** A packet of an OpenPGP message, whole. */
export interface Packet {
  tag: number
  /** The body, or the first piece of one that comes in pieces. */
  body: Buffer
}

/**
 * The packets that fill `bytes` from the first to the last byte (RFC 9580, 4.2, old and new format), or undefined
 * where they do not. openpgp.js does not look behind an encrypted packet before it decrypts.
 */
export function listPackets(bytes: Buffer): Packet[] | undefined {
  const packets: Packet[] = []
  for (let at = 0; at < bytes.length;) {
    const head = bytes[at]!
    if (head < 0x80) return undefined
    const isNew = (head & 0x40) !== 0
    const tag = isNew ? head & 0x3f : (head & 0x3c) >> 2
    const pieces = isNew ? newPieces(bytes, at + 1) : oldPiece(bytes, at + 1, head & 3)
    if (!pieces) return undefined
    packets.push({ tag, body: pieces.first })
    at = pieces.end
  }
  return packets
}

interface Pieces {
  first: Buffer
  end: number
}

function oldPiece(bytes: Buffer, at: number, lengthType: number): Pieces | undefined {
  const octets = [1, 2, 4][lengthType]
  if (octets === undefined || at + octets > bytes.length) return undefined
  const start = at + octets
  const end = start + bytes.readUIntBE(at, octets)
  return end > bytes.length ? undefined : { first: bytes.subarray(start, end), end }
}

function newPieces(bytes: Buffer, at: number): Pieces | undefined {
  let first: Buffer | undefined
  for (let start = at; start < bytes.length;) {
    const octet = bytes[start]!
    const isPartial = octet >= 224 && octet < 255
    const octets = octet < 192 || isPartial ? 1 : octet < 224 ? 2 : 5
    if (start + octets > bytes.length) return undefined
    const length = isPartial ? 2 ** (octet & 0x1f) : lengthAt(bytes, start, octets)
    const end = start + octets + length
    if (end > bytes.length) return undefined
    first ??= bytes.subarray(start + octets, end)
    if (!isPartial) return { first, end }
    start = end
  }
  return undefined
}

function lengthAt(bytes: Buffer, at: number, octets: number): number {
  if (octets === 1) return bytes[at]!
  return octets === 5 ? bytes.readUInt32BE(at + 1) : bytes.readUInt16BE(at) - 0xc000 + 192
}
