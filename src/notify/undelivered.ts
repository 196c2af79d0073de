import { Failure, type FailureKind, type FailureOptions } from '../errors.ts'

/** Of all that keeps a report from being delivered: file, mail, ping. */
const KIND: FailureKind = 'config'

/** A report did not reach whoever waits for it: an error, whatever the report says. */
export function undelivered(message: string, options: FailureOptions = {}): Failure {
  return new Failure(KIND, message, options)
}
