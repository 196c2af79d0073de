import type { z } from 'zod'

/** What a schema makes of JSON in bytes; undefined where it is no JSON, or not of that form. */
export function readJson<S extends z.ZodType>(bytes: Buffer, schema: S): z.output<S> | undefined {
  try {
    return schema.safeParse(JSON.parse(bytes.toString('utf8'))).data
  } catch {
    return undefined
  }
}
