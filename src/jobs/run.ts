import type { Emit, Phase, WarningEvent } from '../report/events.ts'

/** What a run of any kind has: phases that are timed, warnings that are kept, things to close, a signal. */
export class Run {
  readonly signal: AbortSignal
  readonly emit: Emit
  readonly phases: Partial<Record<Phase, number>> = {}
  readonly warnings: Pick<WarningEvent, 'code' | 'message'>[] = []
  readonly #closers: (() => Promise<unknown>)[] = []
  /** The work that is under way, which a signal does not wait for, but cleaning up does. */
  #pending: Promise<unknown> = Promise.resolve()
  readonly #started = performance.now()

  constructor(emit: Emit, signal: AbortSignal) {
    this.signal = signal
    this.emit = (event) => {
      if (event.event === 'warning')
        this.warnings.push({ code: event.code, message: event.message })
      emit(event)
    }
  }

  readonly warn = (code: string, message: string): void => {
    this.emit({ event: 'warning', code, message })
  }

  note(message: string): void {
    this.emit({ event: 'note', message })
  }

  /** Seconds since the run began. */
  get seconds(): number {
    return (performance.now() - this.#started) / 1000
  }

  /** Closes something when the run ends in whatever way, before what was opened earlier. */
  onEnd(close: () => Promise<unknown>): void {
    this.#closers.push(close)
  }

  /** A phase that a signal ends at once. */
  phase<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    return this.uninterrupted(phase, () => this.during(work()))
  }

  /** A phase that a signal does not end. */
  async uninterrupted<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    this.signal.throwIfAborted()
    const started = performance.now()
    this.emit({ event: 'phase', phase, state: 'started' })
    const result = await work()
    const seconds = (performance.now() - started) / 1000
    this.phases[phase] = seconds
    this.emit({ event: 'phase', phase, state: 'finished', seconds })
    return result
  }

  /** Waits for `work`, but not longer than until the signal. */
  async during<T>(work: Promise<T>): Promise<T> {
    const { signal } = this
    this.#pending = Promise.allSettled([this.#pending, work])
    let onAbort: () => void = () => {}
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason as Error)
      if (signal.aborted) onAbort()
      signal.addEventListener('abort', onAbort, { once: true })
    })
    try {
      return await Promise.race([work, aborted])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Closes what is open, waits for what was under way, and closes what that has opened. */
  async end(): Promise<void> {
    await this.#close()
    await this.#pending
    await this.#close()
  }

  async #close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close()
  }
}
