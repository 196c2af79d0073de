import { setFlagsFromString } from 'node:v8'
import { MessageChannel, Worker } from 'node:worker_threads'
import { Failure } from '../errors.ts'
import type { Endpoint } from './connect.ts'
import { type DumpOutcome, Frontend, openSession } from './pg-dump-relay.ts'
import type { FromThread, ToThread, WasmTask } from './pg-dump-wasm-worker.ts'

/** What the package `@electric-sql/pglite-tools`, pinned to one version, carries. */
export const WASM_VERSION = '18.3'

const WORKER = new URL('./pg-dump-wasm-worker.js', import.meta.url)

/** Versions of Node.js that are known to have the flag; others would complain of it. */
const HAS_FILTER = /^v(20|22|24)\./
const EVERY_FUNCTION = -1
const NO_FUNCTION = 2 ** 31 - 1

/**
 * Whether functions of WebAssembly that run often are compiled once more, for speed: for pg_dump that takes longer than
 * most dumps, half of it for a single function. What runs meanwhile in this process has its turn afterwards.
 */
function optimiseWasm(on: boolean): void {
  if (!HAS_FILTER.test(process.version)) return
  setFlagsFromString(`--wasm-tier-up-filter=${on ? EVERY_FUNCTION : NO_FUNCTION}`)
}

/**
 * Runs WebAssembly pg_dump in a thread of its own, whose memory is given back at its end. The thread
 * sleeps while this one carries its bytes to the server and back.
 *
 * @returns the dump, or what pg_dump wrote to its standard error
 * @throws Failure `source` where the connection fails, or the dump would not be faithful
 */
export async function runWasm(
  endpoint: Endpoint,
  args: string[],
  signal: AbortSignal | undefined,
): Promise<DumpOutcome> {
  signal?.throwIfAborted()
  const session = await openSession(endpoint)
  const { port1: port, port2 } = new MessageChannel()
  const arrived = new Int32Array(new SharedArrayBuffer(4))
  const bring = (message: ToThread) => {
    port.postMessage(message)
    Atomics.add(arrived, 0, 1)
    Atomics.notify(arrived, 0)
  }
  const frontend = new Frontend(session, bring)
  const workerData: WasmTask = { args, port: port2, arrived }
  optimiseWasm(false)
  const thread = new Worker(WORKER, {
    workerData,
    transferList: [port2],
    stdout: true,
    stderr: true,
  })
  try {
    return await new Promise<DumpOutcome>((resolve, reject) => {
      let broken = false
      session.stream.on('data', bring)
      session.stream.once('close', () => {
        broken = true
        bring(null)
      })
      port.on('message', (message: FromThread) => {
        if ('write' in message) {
          try {
            frontend.write(Buffer.from(message.write))
          } catch (error) {
            reject(error)
          }
        } else if (broken) reject(lostConnection(endpoint))
        else if ('unfaithful' in message) reject(unfaithful(endpoint))
        else resolve('done' in message ? { text: message.done } : { error: message.failed })
      })
      thread.once('error', reject)
      // comes after all messages, which the end of the thread may overtake
      port.once('close', () =>
        reject(new Failure('bug', 'WebAssembly pg_dump ended without a word')),
      )
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  } finally {
    session.close()
    port.close()
    await thread.terminate()
    optimiseWasm(true)
  }
}

function lostConnection(endpoint: Endpoint): Failure {
  return new Failure(endpoint.side, `the connection to ${endpoint.label} broke while pg_dump ran`)
}

function unfaithful(endpoint: Endpoint): Failure {
  const message = `the structure of ${endpoint.label} has a line that begins with \\restrict, which WebAssembly pg_dump would lose`
  return new Failure(endpoint.side, message, {
    hint: 'install the PostgreSQL client tools, so that the native pg_dump is used',
  })
}
