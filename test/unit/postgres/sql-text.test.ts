import { expect, test } from '@jest/globals'
import { setvalSql } from '../../../src/postgres/sequences.ts'
import { dollarQuote, lineLiteral, settingSql } from '../../../src/postgres/sql-text.ts'

test('dollar quotes have a tag that is not in the text', () => {
  expect(dollarQuote('a')).toBe('$pgveil$a$pgveil$')
  expect(dollarQuote("'$pgveil$ $pgveil1$'")).toBe("$pgveil2$'$pgveil$ $pgveil1$'$pgveil2$")
})

test('a literal on one line says the same', () => {
  expect(lineLiteral("it's")).toBe("'it''s'")
  expect(lineLiteral('a\r\nb')).toBe(" E'a\\r\\nb'")
  expect(lineLiteral('a\\n\nb')).toBe(" E'a\\\\n\\nb'")
})

test('settings: lists of names are taken apart, everything else is one value', () => {
  expect(settingSql('search_path="$user", public, "a, ""b""", ""')).toBe(
    `"search_path" TO '$user', 'public', 'a, "b"', ''`,
  )
  expect(settingSql('search_path=""')).toBe(`"search_path" TO ''`)
  expect(settingSql('DateStyle=ISO, DMY')).toBe(`"DateStyle" TO 'ISO, DMY'`)
  expect(settingSql("crm.note=a=b, it's")).toBe(`"crm"."note" TO 'a=b, it''s'`)
})

test('a sequence value keeps every digit', () => {
  const value = '9223372036854775807'
  expect(setvalSql({ schema: 's', name: `o'"x`, value, called: false })).toBe(
    `pg_catalog.setval('"s"."o''""x"', ${value}, false)`,
  )
})
