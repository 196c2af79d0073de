/** What a text in the structure looks like. */
export type LiteralKind =
  'e-mail address' | 'phone number' | 'IBAN' | 'card number' | 'password' | 'private key' | 'token'

/** Domains that belong to nobody (RFC 2606, RFC 6761) may stand in any structure. */
const RESERVED_DOMAIN = /(?:^|\.)(?:example(?:\.(?:com|net|org))?|test|invalid|localhost)$/i

/** Part of every pattern: so that a word is taken whole or not at all. */
const EMAIL = /[\p{L}\p{N}._%+'-]+@((?:[\p{L}\p{N}-]+\.)+\p{L}{2,})(?![\p{L}\p{N}-])/gu

/** `+36 20 123 4567`, `(20) 123-4567`, `06-20/123-4567`: international, or with the separators of a number. */
const PHONE =
  /(?<![\w.+-])(?:\+\d[\d ()/.-]{6,20}\d|\(\d{1,4}\) ?\d{3}[ -]\d{2,4}(?:[ -]\d{2,4})?|0\d{1,3}[ /-]\d{1,3}[ /-]\d{3}[ -]?\d{3,4})(?![\w.-])/g

const IBAN = /(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Z0-9])/g

const CARD = /(?<![\d.-])[3-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,7}(?![\d.-])/g

/** A URL with credentials, or libpq's `host=… password=…`. */
const URL_PASSWORD = /\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/'"]*:[^\s@/'"]+@/i
const CONNINFO_PASSWORD = /\bpassword\s*=\s*'{0,2}[^\s']/i
const CONNINFO = /\b(?:host|hostaddr|dbname|user)\s*=\s*'{0,2}[^\s']/i

const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/

/** Prefixes that services give to their keys, and JSON web tokens. */
const KNOWN_TOKEN =
  /\b(?:sk_live_|rk_live_|AKIA|ASIA|gh[opsu]_|github_pat_|glpat-|xox[abp]-|AIza|SG\.)[A-Za-z0-9_-]{12,}|\beyJ[\w-]{10,}\.[\w-]{10,}\./
const LONG_WORD = /(?<![A-Za-z0-9])[A-Za-z0-9]{24,}(?![A-Za-z0-9])/g

/** The kinds of personal or secret text found in `text`, each once. */
export function kindsIn(text: string): LiteralKind[] {
  const kinds: LiteralKind[] = []
  if (hasEmail(text)) kinds.push('e-mail address')
  if (some(text, PHONE, (match) => between(digits(match).length, 8, 15))) kinds.push('phone number')
  if (some(text, IBAN, hasIbanCheckDigits)) kinds.push('IBAN')
  if (some(text, CARD, hasCardCheckDigit)) kinds.push('card number')
  if (URL_PASSWORD.test(text) || (CONNINFO_PASSWORD.test(text) && CONNINFO.test(text))) {
    kinds.push('password')
  }
  if (PRIVATE_KEY.test(text)) kinds.push('private key')
  if (KNOWN_TOKEN.test(text) || some(text, LONG_WORD, looksRandom)) kinds.push('token')
  return kinds
}

function some(text: string, pattern: RegExp, holds: (match: string) => boolean): boolean {
  for (const [match] of text.matchAll(pattern)) if (holds(match)) return true
  return false
}

function hasEmail(text: string): boolean {
  if (!text.includes('@')) return false
  for (const [, domain = ''] of text.matchAll(EMAIL)) if (!RESERVED_DOMAIN.test(domain)) return true
  return false
}

function digits(text: string): string {
  return text.replace(/\D/g, '')
}

function between(value: number, least: number, most: number): boolean {
  return value >= least && value <= most
}

/** ISO 13616: moved and spelled as digits, it leaves 1 when divided by 97. */
function hasIbanCheckDigits(match: string): boolean {
  const iban = match.replaceAll(' ', '')
  if (!between(iban.length, 15, 34)) return false
  let rest = 0
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    for (const digit of String(Number.parseInt(character, 36)))
      rest = (rest * 10 + Number(digit)) % 97
  }
  return rest === 1
}

/** Luhn's formula, ISO/IEC 7812-1. */
function hasCardCheckDigit(match: string): boolean {
  const number = digits(match)
  if (!between(number.length, 13, 19)) return false
  let sum = 0
  for (let i = 0; i < number.length; i++) {
    const digit = Number(number[number.length - 1 - i])
    const doubled = i % 2 === 0 ? digit : digit * 2
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

/** Letters and digits in a mixture that words and identifiers do not have. */
function looksRandom(word: string): boolean {
  const letters = word.replace(/\d/g, '').length
  const numerals = word.length - letters
  return letters >= 4 && numerals >= 4 && new Set(word).size >= 10
}
