import { Failure } from '../../errors.ts'
import type { Mask, MaskOpener } from '../mask.ts'

/** `params` of a prepared mask of kind `function`. */
export interface UserFunctionParams {
  /** `file:` URL of the module. */
  url: string
  /** Name of the export. */
  name: string
  /** As the rule file wrote it, for messages. */
  written: string
}

/** A function of the user's: the original as text in; the mask, or null for NULL, out. */
export type UserFunction = (value: string) => string | null

/**
 * The exported function.
 *
 * @throws Failure `config` where the module cannot be loaded or exports no such function
 */
export async function importUserFunction(params: UserFunctionParams): Promise<UserFunction> {
  const { url, name, written } = params
  let loaded: Record<string, unknown>
  try {
    loaded = (await import(url)) as Record<string, unknown>
  } catch (cause) {
    const hint = url.endsWith('.ts') ? { hint: 'TypeScript needs Node.js 22.18 or later' } : {}
    throw new Failure('config', `cannot load the function ${written}`, { ...hint, cause })
  }
  const found = loaded[name]
  if (typeof found !== 'function') {
    throw new Failure('config', `cannot load the function ${written}: there is no such export`)
  }
  return found as UserFunction
}

/**
 * Calls the user's function for each value. The one mask that throws: a function that fails must stop the
 * copy, and what it threw may quote the value, so only its name is told.
 */
export const openUserFunction: MaskOpener = async (prepared): Promise<Mask> => {
  const params = prepared.params as unknown as UserFunctionParams
  const call = await importUserFunction(params)
  return (bytes, start, end, out) => {
    const value = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8')
    let masked: unknown
    try {
      masked = call(value)
    } catch {
      throw new Failure('config', `the function ${params.written} failed on a value`)
    }
    if (masked === null) return false
    if (typeof masked !== 'string' || masked.includes('\0')) {
      throw new Failure('config', `the function ${params.written} must return a text or null`)
    }
    // At most three bytes per code unit.
    out.reserve(masked.length * 3)
    out.length += out.bytes.write(masked, out.length, 'utf8')
    return true
  }
}
