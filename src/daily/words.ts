const MINUTE = 60
const HOUR = 3600
const DAY = 24 * HOUR

/** How long something has been: `12 min`, `31 h`, `3 days`. */
export function span(seconds: number): string {
  if (seconds < MINUTE) return `${Math.max(0, Math.round(seconds))} s`
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`
  if (seconds < 3 * DAY) return `${Math.floor(seconds / HOUR)} h`
  return `${Math.floor(seconds / DAY)} days`
}

/** `2026-11-22 07:00 UTC` */
export function moment(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 16)} UTC`
}
