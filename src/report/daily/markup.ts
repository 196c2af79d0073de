import { visible } from '../display.ts'

/** Text that is HTML, SVG or XML already. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }
}

type Part = string | number | Markup | undefined | readonly Part[]

/** Markup in which everything put in is escaped, save what is {@link Markup} itself; lists are put one after another. */
export function markup(strings: TemplateStringsArray, ...parts: Part[]): Markup {
  const text = strings.map((string, i) => string + (i < parts.length ? textOf(parts[i]) : ''))
  return new Markup(text.join(''))
}

function textOf(part: Part): string {
  if (part === undefined) return ''
  if (part instanceof Markup) return part.text
  if (typeof part === 'number') return String(part)
  return typeof part === 'string' ? escape(part) : part.map(textOf).join('')
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
/** What XML 1.0 does not allow: halves of pairs, and two that are no characters. */
const FORBIDDEN = /[\p{Cs}\ufffe\uffff]/gu

/** What is invisible is spelled out, and what no document may hold replaced. */
export function printable(text: string): string {
  return visible(text).replace(FORBIDDEN, '\ufffd')
}

/** For content and for values in quotes. */
function escape(text: string): string {
  return printable(text).replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char)
}
