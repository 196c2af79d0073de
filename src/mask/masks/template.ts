import type { Dictionary, Mask, MaskOpener, PreparedMask } from '../mask.ts'
import { appendHexByte, writeTag } from './scramble-bytes.ts'
import { Original, type IdentityKind } from './identity.ts'

/** One piece of a template, as plain data. */
export type TemplatePart =
  | { literal: string }
  /** Another mask of the same value; its dictionaries lie in the template's, behind `prefix`. */
  | { mask: Omit<PreparedMask, 'dictionaries'>; prefix: string }
  /** So many hexadecimal digits of the keyed tag. */
  | { hash: number }

/** `params` of a prepared mask of kind `template`. */
export interface TemplateParams {
  identity: IdentityKind
  parts: readonly TemplatePart[]
}

const TAG_BYTES = 16

function dictionariesBehind(
  prefix: string,
  dictionaries: Readonly<Record<string, Dictionary>>,
): Record<string, Dictionary> {
  return Object.fromEntries(
    Object.entries(dictionaries)
      .filter(([role]) => role.startsWith(prefix))
      .map(([role, dictionary]) => [role.slice(prefix.length), dictionary]),
  )
}

function openLiteral(text: string): Mask {
  const literal = Buffer.from(text, 'utf8')
  return (_bytes, _start, _end, out) => {
    out.append(literal, 0, literal.length)
    return true
  }
}

function openTag(original: Original, digits: number): Mask {
  const tag = Buffer.alloc(TAG_BYTES)
  return (bytes, start, end, out) => {
    original.read(bytes, start, end)
    writeTag(original.hash, tag)
    const from = out.length
    out.reserve(TAG_BYTES * 2)
    for (let i = 0; i < digits; i += 2) appendHexByte(out, tag[i >> 1]!)
    out.length = from + digits
    return true
  }
}

/**
 * Opens texts put together from other masks of the same value. A part that is NULL adds nothing.
 *
 * @param openMask opens the masks inside
 */
export function templateOpener(openMask: MaskOpener): MaskOpener {
  return async (prepared): Promise<Mask> => {
    const { identity, parts } = prepared.params as unknown as TemplateParams
    const original = new Original(prepared.key, identity)
    const masks = await Promise.all(
      parts.map(async (part) => {
        if ('literal' in part) return openLiteral(part.literal)
        if ('hash' in part) return openTag(original, part.hash)
        const dictionaries = dictionariesBehind(part.prefix, prepared.dictionaries)
        return openMask({ ...part.mask, dictionaries }, 'text', 'text')
      }),
    )
    return (bytes, start, end, out, row) => {
      for (let i = 0; i < masks.length; i++) masks[i]!(bytes, start, end, out, row)
      return true
    }
  }
}
