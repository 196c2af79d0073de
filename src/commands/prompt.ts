import { readFileSync } from 'node:fs'
import type { ReadStream } from 'node:tty'
import { Failure } from '../errors.ts'
import { SIGNALS, type Io } from './context.ts'

const ENTER = [0x0a, 0x0d, 0x04]
const INTERRUPT = 0x03
const ERASE = [0x7f, 0x08]

/**
 * Asks for a secret on the terminal, without showing it.
 *
 * @returns undefined where there is no terminal
 * @throws Failure `interrupted` on Ctrl-C and signals; the terminal then is as it was
 */
export async function askSecret(question: string, io: Io): Promise<Buffer | undefined> {
  const input = io.stdin
  if (!input?.isTTY || !io.isTTY.stderr) return undefined
  io.stderr.write(`${question}: `)
  try {
    return await readHidden(input, io.signals)
  } finally {
    io.stderr.write('\n')
  }
}

function readHidden(input: ReadStream, signals: Io['signals']): Promise<Buffer> {
  const typed: number[] = []
  return new Promise((resolve, reject) => {
    const close = () => {
      input.off('data', onData)
      for (const name of Object.keys(SIGNALS)) signals?.off(name, stop)
      input.setRawMode(false)
      input.pause()
      typed.fill(0)
    }
    const stop = () => {
      close()
      reject(new Failure('interrupted', 'stopped at a question'))
    }
    const onData = (chunk: Buffer) => {
      for (const byte of chunk) {
        // As long as nothing is shown, the terminal makes no signal of it.
        if (byte === INTERRUPT) return stop()
        if (ENTER.includes(byte)) {
          const answer = Buffer.from(typed)
          close()
          return resolve(answer)
        }
        if (ERASE.includes(byte)) typed.pop()
        else typed.push(byte)
      }
    }
    for (const name of Object.keys(SIGNALS)) signals?.on(name, stop)
    input.setRawMode(true)
    input.on('data', onData)
    input.resume()
  })
}

/**
 * Passphrases from a file descriptor, one a line.
 *
 * @throws Failure `key`
 */
export function readLines(fd: number): Buffer[] {
  let text: Buffer
  try {
    text = readFileSync(fd)
  } catch (cause) {
    throw new Failure('key', `cannot read passphrases from file descriptor ${fd}`, { cause })
  }
  const lines: Buffer[] = []
  for (let at = 0; at < text.length;) {
    const found = text.indexOf(0x0a, at)
    const end = found < 0 ? text.length : found
    lines.push(Buffer.from(text.subarray(at, end)))
    at = end + 1
  }
  text.fill(0)
  return lines
}
