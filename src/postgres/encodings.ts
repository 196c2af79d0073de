/** PostgreSQL's single-byte encodings by the names that TextDecoder knows. */
const LABELS: Readonly<Record<string, string>> = {
  LATIN2: 'iso-8859-2',
  LATIN3: 'iso-8859-3',
  LATIN4: 'iso-8859-4',
  LATIN6: 'iso-8859-10',
  LATIN7: 'iso-8859-13',
  LATIN8: 'iso-8859-14',
  LATIN9: 'iso-8859-15',
  LATIN10: 'iso-8859-16',
  ISO_8859_5: 'iso-8859-5',
  ISO_8859_6: 'iso-8859-6',
  ISO_8859_7: 'iso-8859-7',
  ISO_8859_8: 'iso-8859-8',
  KOI8R: 'koi8-r',
  KOI8U: 'koi8-u',
  WIN866: 'ibm866',
  WIN874: 'windows-874',
  WIN1250: 'windows-1250',
  WIN1251: 'windows-1251',
  WIN1252: 'windows-1252',
  WIN1253: 'windows-1253',
  WIN1254: 'windows-1254',
  WIN1255: 'windows-1255',
  WIN1256: 'windows-1256',
  WIN1257: 'windows-1257',
  WIN1258: 'windows-1258',
}

/**
 * Which code points a database of this encoding can hold. For encodings that are not known here: ASCII
 * alone, which all of PostgreSQL's server encodings contain.
 *
 * @param encoding as `pg_encoding_to_char` names it
 */
export function encodableIn(encoding: string): (codePoint: number) => boolean {
  if (encoding === 'UTF8') return () => true
  if (encoding === 'LATIN1') return (codePoint) => codePoint <= 0xff
  const label = LABELS[encoding]
  const known = new Set<number>()
  for (let byte = 0; byte < 128; byte++) known.add(byte)
  if (label) {
    const decoder = new TextDecoder(label)
    for (let byte = 128; byte < 256; byte++) {
      const codePoint = decoder.decode(Uint8Array.of(byte)).codePointAt(0)
      if (codePoint !== undefined && codePoint !== 0xfffd) known.add(codePoint)
    }
  }
  return (codePoint) => known.has(codePoint)
}
