import { quoteLiteral } from '../postgres/identifiers.ts'

/** A code and a sentence without values, as they are reported. */
export interface Warning {
  code: string
  message: string
}

/** Where a restore notes what is in and what it had to leave out, so that it can be gone on with. */
const NOTES = 'pgveil_restore'

/**
 * Makes the notes; gone before the database is handed over.
 *
 * @param only names of the tables that are wanted
 * @param warnings of what was made so far, which is not made again
 */
export function createNotesSql(only: readonly string[], warnings: readonly Warning[]): string {
  return `
    CREATE SCHEMA ${NOTES};
    CREATE TABLE ${NOTES}.loaded (object text PRIMARY KEY);
    CREATE TABLE ${NOTES}.wanted AS SELECT ${quoteLiteral(wantedText(only))}::text AS names;
    CREATE TABLE ${NOTES}.warnings (code text, message text);
    ${noteWarningsSql(warnings)}`
}

/** The same for the same tables. */
export function wantedText(only: readonly string[]): string {
  return JSON.stringify([...new Set(only)].toSorted())
}

export const DROP_NOTES = `DROP SCHEMA ${NOTES} CASCADE`
export const READ_NOTES = `SELECT object FROM ${NOTES}.loaded`
export const READ_WANTED = `SELECT names FROM ${NOTES}.wanted`
export const READ_WARNINGS = `SELECT code, message FROM ${NOTES}.warnings`

/** The object is in. */
export function noteSql(object: string): string {
  return `INSERT INTO ${NOTES}.loaded VALUES (${quoteLiteral(object)})`
}

/** The object is not in any more. */
export function forgetSql(object: string): string {
  return `DELETE FROM ${NOTES}.loaded WHERE object = ${quoteLiteral(object)}`
}

/** Empty where there are none. */
export function noteWarningsSql(warnings: readonly Warning[]): string {
  if (warnings.length === 0) return ''
  const rows = warnings.map(
    ({ code, message }) => `(${quoteLiteral(code)}, ${quoteLiteral(message)})`,
  )
  return `INSERT INTO ${NOTES}.warnings VALUES ${rows.join(', ')}`
}
