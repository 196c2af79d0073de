import type { Warn } from './structure.ts'

/** Of these there may be one for each object of a database. */
const MANY: ReadonlySet<string> = new Set(['owner-left-out', 'grant-left-out'])

/**
 * Says once what would be said for many statements: each warning once, and of owners and of privileges that are
 * not permitted the first, with the number of all.
 */
export class LeftOut {
  readonly #warn: Warn
  readonly #said = new Set<string>()
  readonly #counts = new Map<string, { message: string; count: number }>()

  constructor(warn: Warn) {
    this.#warn = warn
  }

  /** Takes a warning; passes it on at once, unless {@link finish} will. */
  readonly warn: Warn = (code, message) => {
    if (MANY.has(code)) {
      const counted = this.#counts.get(code)
      if (counted) counted.count++
      else this.#counts.set(code, { message, count: 1 })
      return
    }
    const key = `${code} ${message}`
    if (this.#said.has(key)) return
    this.#said.add(key)
    this.#warn(code, message)
  }

  /** To be called at the end. */
  finish(): void {
    for (const [code, { message, count }] of this.#counts) {
      this.#warn(code, count === 1 ? message : `${message}; and ${count - 1} more like it`)
    }
    this.#counts.clear()
  }
}
