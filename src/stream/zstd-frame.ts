const MAGIC = 0xfd2fb528
const RESERVED_BIT = 0b1000
const DICTIONARY_BITS = 0b11
const BLOCK_HEADER = 3
const CHECKSUM = 4
const RLE_BLOCK = 1
const RESERVED_BLOCK = 3

/**
 * How many bytes `bytes` will be once decompressed, as they state themselves; undefined unless they are
 * exactly one zstd frame that states it and needs no dictionary (RFC 8878, section 3.1.1). Nothing is
 * decompressed: the frame is followed from block header to block header, so that no second frame hides
 * behind it.
 */
export function frameContentSize(bytes: Buffer): number | undefined {
  if (bytes.length < 5 || bytes.readUInt32LE(0) !== MAGIC) return undefined
  const descriptor = bytes.readUInt8(4)
  if ((descriptor & (RESERVED_BIT | DICTIONARY_BITS)) !== 0) return undefined
  const isSingleSegment = (descriptor & 0b100000) !== 0
  const hasChecksum = (descriptor & 0b100) !== 0
  const start = isSingleSegment ? 5 : 6
  const width = contentSizeWidth(descriptor >> 6, isSingleSegment)
  if (width === 0 || start + width > bytes.length) return undefined
  const end = endOfBlocks(bytes, start + width)
  if (end === undefined || end + (hasChecksum ? CHECKSUM : 0) !== bytes.length) return undefined
  if (width === 8) return Number(bytes.readBigUInt64LE(start))
  return bytes.readUIntLE(start, width) + (width === 2 ? 256 : 0)
}

function contentSizeWidth(flag: number, isSingleSegment: boolean): number {
  if (flag === 0) return isSingleSegment ? 1 : 0
  return 2 ** flag
}

/** Where the last block ends; undefined where there is no last one. */
function endOfBlocks(bytes: Buffer, start: number): number | undefined {
  let position = start
  while (position + BLOCK_HEADER <= bytes.length) {
    const header = bytes.readUIntLE(position, BLOCK_HEADER)
    const type = (header >> 1) & 0b11
    if (type === RESERVED_BLOCK) return undefined
    position += BLOCK_HEADER + (type === RLE_BLOCK ? 1 : header >> 3)
    if ((header & 1) === 1) return position
  }
  return undefined
}
