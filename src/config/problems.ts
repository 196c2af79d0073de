import { Failure } from '../errors.ts'
import { formatPlace, type Place } from './place.ts'

const SHOWN = 20

interface Problem {
  place: Place
  message: string
  hint: string | undefined
}

/** Collects what is wrong with a file, so that one run tells all of it. */
export class Problems {
  readonly #found: Problem[] = []

  add(place: Place, message: string, hint?: string): void {
    this.#found.push({ place, message, hint })
  }

  /**
   * Returns where nothing was found.
   *
   * @throws Failure `config`: the first problem, then the others up to 20 a line each, then the count;
   *   the hint is the first problem's
   */
  raise(): void {
    if (this.#found.length === 0) return
    const inOrder = this.#found.toSorted(
      (a, b) => a.place.line - b.place.line || a.place.column - b.place.column,
    )
    const lines = inOrder
      .slice(0, SHOWN)
      .map(({ place, message, hint }, i) =>
        [`${formatPlace(place)}: ${message}`, i > 0 && hint ? ` (${hint})` : ''].join(''),
      )
    if (inOrder.length > SHOWN) lines.push(`and ${inOrder.length - SHOWN} more`)
    if (inOrder.length > 1) lines.push(`${inOrder.length} problems in this file`)
    const hint = inOrder[0]?.hint
    throw new Failure('config', lines.join('\n'), { ...(hint && { hint }) })
  }
}
