import { width } from '../../../src/report/display.ts'

/** The little of a terminal that the live display uses: lines, cursor up, clear line, clear below. */
export class Terminal {
  readonly columns: number
  readonly rows: number
  writes = 0
  #lines: string[] = ['']
  #row = 0
  #column = 0

  constructor(columns: number, rows: number) {
    this.columns = columns
    this.rows = rows
  }

  write(text: string): void {
    this.writes++
    // oxlint-disable-next-line no-control-regex
    for (const match of text.matchAll(/\x1b\[(\d*)([A-Za-z])|[\r\n]|[^\x1b\r\n]+/g)) {
      const [token, argument, final] = match
      if (token === '\r' || token === '\n') this.#column = 0
      if (token === '\n') this.#lines[++this.#row] ??= ''
      else if (token === '\r') continue
      else if (final === 'A') this.#row -= Number(argument)
      else if (final === 'K') this.#lines[this.#row] = ''
      else if (final === 'J') this.#lines = [...this.#lines.slice(0, this.#row), '']
      else if (final === undefined) this.#print(token)
      else throw new Error(`unknown sequence ending in ${final}`)
      if (this.#row < 0) throw new Error('cursor above the screen')
    }
  }

  /** What is on the screen, without the empty line at the end. */
  lines(): string[] {
    const last = this.#lines.findLastIndex((line) => line !== '')
    return this.#lines.slice(0, last + 1)
  }

  #print(text: string): void {
    let line = (this.#lines[this.#row] ?? '').slice(0, this.#column).padEnd(this.#column) + text
    while (width(line) > this.columns) {
      this.#lines[this.#row] = line.slice(0, this.columns)
      line = line.slice(this.columns)
      this.#row++
    }
    this.#lines[this.#row] = line
    this.#column = line.length
  }
}
