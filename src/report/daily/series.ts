import { count, duration, size } from '../numbers.ts'
import type { Series } from './charts.ts'

/** What is drawn of each day. */
export const SERIES: readonly (Series & { limited?: true })[] = [
  { title: 'Size in the store', of: ({ stored }) => stored, text: size },
  { title: 'Rows', of: ({ rows }) => rows, text: count },
  {
    title: 'Recovery time',
    of: ({ recoverySeconds }) => recoverySeconds,
    text: duration,
    limited: true,
  },
]
