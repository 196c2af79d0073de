/**
 * Objects that are read to their end, and have only to be completed by the store, which takes a moment: meanwhile the next
 * one is written, but not the one after it, so that what they hold in memory stays bounded.
 */
export class Finishing {
  #last: Promise<unknown> = Promise.resolve()

  /**
   * @param work what completes an object; that it fails is for whoever began it
   * @returns resolves when the next object may be begun
   */
  add(work: Promise<unknown>): Promise<void> {
    const before = this.#last
    this.#last = work.catch(() => {})
    return before.then(() => {})
  }
}
