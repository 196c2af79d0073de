import { PIECE, type LargeObjectRange } from '../source/large-objects.ts'
import { LineRows } from '../stream/rows.ts'

const NEWLINE = 0x0a
/** No statement's head is longer. */
const HEAD = 80
const CREATE = /^SELECT pg_catalog\.lo_create\((\d+)\);$/
const PUT = /^SELECT pg_catalog\.lo_put\((\d+), (\d+), '\\x/
/** What follows the content. */
const PUT_END = "');".length

/** Large objects that one sealed object holds. */
export interface LargeObjectContents extends LargeObjectRange {
  /** Digest over what {@link readAgainSql} reads of them. */
  digest: string
}

/**
 * Takes the SQL of large objects and digests what it puts into them: a row for each object, and one for each piece of
 * its content.
 */
export class LargeObjectRows {
  readonly #rows: LineRows
  #from: number | undefined
  #to = 0
  /** The line that is not complete yet. */
  #pending: Buffer[] = []

  /** @param key of the digest, 16 bytes */
  constructor(key: Uint8Array) {
    this.#rows = new LineRows(key)
  }

  /** Takes the next bytes of the SQL, cut anywhere. */
  take(block: Buffer): void {
    let at = 0
    for (let end = block.indexOf(NEWLINE); end >= 0; end = block.indexOf(NEWLINE, at)) {
      this.#line(Buffer.concat([...this.#pending, block.subarray(at, end)]))
      this.#pending = []
      at = end + 1
    }
    // A copy: the block is somebody else's.
    if (at < block.length) this.#pending.push(Buffer.from(block.subarray(at)))
  }

  #line(line: Buffer): void {
    const head = line.toString('latin1', 0, HEAD)
    const [, created] = CREATE.exec(head) ?? []
    if (created !== undefined) {
      this.#from ??= Number(created)
      this.#to = Number(created)
      this.#rows.take(Buffer.from(`${created}\t-1\t\n`))
      return
    }
    const [start, oid, offset] = PUT.exec(head) ?? []
    if (start === undefined) return
    this.#rows.take(Buffer.from(`${oid}\t${offset}\t`))
    this.#rows.take(line.subarray(start.length, line.length - PUT_END))
    this.#rows.take(Buffer.from('\n'))
  }

  /** Undefined where there was no object. */
  get contents(): LargeObjectContents | undefined {
    if (this.#from === undefined) return undefined
    return { fromOid: this.#from, toOid: this.#to, digest: this.#rows.digest() }
  }
}

/** COPY of the rows of {@link LargeObjectRows} from a server. The numbers of lo_open and lo_lseek64 are PostgreSQL's. */
export function readAgainSql({ fromOid, toOid }: LargeObjectRange): string {
  return `COPY (
    WITH o AS MATERIALIZED (
      SELECT oid FROM pg_catalog.pg_largeobject_metadata WHERE oid::int8 BETWEEN ${fromOid} AND ${toOid}
    ), sized AS MATERIALIZED (
      SELECT o.oid, CASE WHEN pg_catalog.lo_close(f.fd) = 0 THEN s.bytes END AS bytes FROM o
      CROSS JOIN LATERAL (SELECT pg_catalog.lo_open(o.oid, x'40000'::int) AS fd OFFSET 0) f
      CROSS JOIN LATERAL (SELECT pg_catalog.lo_lseek64(f.fd, 0, 2) AS bytes OFFSET 0) s
    )
    SELECT oid, -1, '' FROM o
    UNION ALL
    SELECT oid, at, pg_catalog.encode(pg_catalog.lo_get(oid, at, ${PIECE}), 'hex')
    FROM sized CROSS JOIN LATERAL pg_catalog.generate_series(0, bytes - 1, ${PIECE}) AS at
  ) TO STDOUT`
}
