/**
 * xorshift32: the same numbers for the same seed.
 *
 * @param {number} seed
 */
export function randomFrom(seed) {
  let state = seed | 0 || 1
  const next = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
  // Small seeds begin with small numbers.
  for (let i = 0; i < 20; i++) next()
  return {
    /** In [0, 1). */
    next,
    /** A whole number from 0 to `below` - 1. @param {number} below */
    below: (below) => Math.floor(next() * below),
    /** @template T @param {readonly T[]} all @returns {T} */
    pick: (all) => /** @type {T} */ (all[Math.floor(next() * all.length)]),
  }
}

/** @typedef {ReturnType<typeof randomFrom>} Random */
