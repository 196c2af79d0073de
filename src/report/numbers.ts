const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

/** `1,234,567` */
export function count(n: number): string {
  return Math.round(n).toLocaleString('en-US')
}

/** Bytes as `0 B`, `999 B`, `12.3 MB`; a kB is 1,000 bytes. */
export function size(bytes: number): string {
  let value = bytes
  let unit = 0
  // 999.95 and above would be shown as 1000.0
  while (value >= 999.95 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`
}

/** `0.3 s`, `42 s`, `3 min 7 s`, `1 h 2 min` */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  const minutes = Math.round(whole / 60)
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** `0:42`, `3:07`, `1:02:03` */
export function clock(seconds: number): string {
  const whole = Math.round(seconds)
  const two = (n: number): string => String(n).padStart(2, '0')
  const hours = Math.floor(whole / 3600)
  const minutes = Math.floor(whole / 60) % 60
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`
}

/** `1 table`, `2 tables` */
export function plural(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`
}

/** An ISO 8601 time as `2026-11-22 02:00:00`. */
export function moment(time: string): string {
  return time.slice(0, 19).replace('T', ' ')
}
