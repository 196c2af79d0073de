/**
 * A small, fast, seeded generator (sfc32). Not for secrets.
 */
export class Random {
  #a = 0
  #b = 0
  #c = 0
  #count = 1

  /** @param {number} seed any two 32-bit numbers give unrelated sequences
   * @param {number} stream */
  constructor(seed, stream) {
    this.reseed(seed, stream)
  }

  /**
   * Starts the sequence of (seed, stream) from its beginning.
   * @param {number} seed
   * @param {number} stream
   */
  reseed(seed, stream) {
    this.#a = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b)
    this.#b = Math.imul(stream ^ 0x7f4a7c15, 0xc2b2ae35)
    this.#c = seed ^ stream
    this.#count = 1
    for (let i = 0; i < 12; i++) this.uint32()
  }

  /** @returns {number} 0 … 2³²-1 */
  uint32() {
    const sum = (this.#a + this.#b + this.#count) | 0
    this.#count = (this.#count + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return sum >>> 0
  }

  /**
   * @param {number} limit
   * @returns {number} 0 … limit-1
   */
  below(limit) {
    return Math.floor((this.uint32() / 4294967296) * limit)
  }

  /**
   * @param {number} low
   * @param {number} high
   * @returns {number} low … high, both included
   */
  between(low, high) {
    return low + this.below(high - low + 1)
  }

  /** @param {number} probability */
  chance(probability) {
    return this.uint32() < probability * 4294967296
  }

  /**
   * @template T
   * @param {readonly T[]} list not empty
   * @returns {T}
   */
  pick(list) {
    return /** @type {T} */ (list[this.below(list.length)])
  }

  /** @param {number} count */
  digits(count) {
    let text = ''
    for (let left = count; left > 0; left -= 9) {
      const length = Math.min(left, 9)
      text += String(this.below(10 ** length)).padStart(length, '0')
    }
    return text
  }

  /** @param {number} count */
  hex(count) {
    let text = ''
    while (text.length < count) text += this.uint32().toString(16).padStart(8, '0')
    return text.slice(0, count)
  }
}
