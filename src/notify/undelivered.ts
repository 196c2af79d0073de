import { Failure, type FailureOptions } from '../errors.ts'

/** A report did not reach whoever waits for it: an error, whatever the report says. */
export function undelivered(message: string, options: FailureOptions = {}): Failure {
  return new Failure('delivery', message, options)
}
