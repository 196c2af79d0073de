/** Emphasis for a terminal; with colour off each function returns its text as it is. */
export interface Style {
  bold(text: string): string
  dim(text: string): string
  red(text: string): string
  yellow(text: string): string
}

/** @see https://no-color.org: a NO_COLOR that is not empty switches colour off */
export function style(isTTY: boolean, env: NodeJS.ProcessEnv): Style {
  const on = isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  const sgr = (open: number, close: number) => (text: string) =>
    on && text !== '' ? `\x1b[${open}m${text}\x1b[${close}m` : text
  return { bold: sgr(1, 22), dim: sgr(2, 22), red: sgr(31, 39), yellow: sgr(33, 39) }
}
