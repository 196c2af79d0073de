import { EventEmitter } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ReadStream } from 'node:tty'
import { afterAll, expect, test } from '@jest/globals'
import { run } from '../../../src/cli.ts'
import type { Io } from '../../../src/commands/context.ts'
import { askSecret } from '../../../src/commands/prompt.ts'

const directory = mkdtempSync(join(tmpdir(), 'pgveil-prompt-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** A terminal that somebody types on. */
class Terminal extends EventEmitter {
  readonly isTTY = true
  isRaw = false
  isReading = false

  setRawMode(raw: boolean): void {
    this.isRaw = raw
  }

  resume(): void {
    this.isReading = true
  }

  pause(): void {
    this.isReading = false
  }

  type(text: string): void {
    this.emit('data', Buffer.from(text))
  }
}

function world() {
  const terminal = new Terminal()
  const signals = new EventEmitter()
  const shown: string[] = []
  const sink = { write: (text: string) => shown.push(text) }
  const io: Io = {
    stdout: sink,
    stderr: sink,
    stdin: terminal as unknown as ReadStream,
    env: { HOME: directory },
    cwd: directory,
    isTTY: { stdout: true, stderr: true },
    size: () => ({ columns: 80, rows: 24 }),
    signals,
  }
  return { io, terminal, signals, shown }
}

test('what is typed is not shown, and corrected by backspace', async () => {
  const { io, terminal, shown } = world()
  const answer = askSecret('Passphrase', io)
  terminal.type('hush')
  terminal.type('x\x7f!\r')
  expect((await answer)?.toString()).toBe('hush!')
  expect(shown.join('')).toBe('Passphrase: \n')
  expect(terminal).toMatchObject({ isRaw: false, isReading: false })
  expect(terminal.listenerCount('data')).toBe(0)
})

test('without a terminal nobody is asked', async () => {
  const { io, shown } = world()
  const piped = { ...io, isTTY: { stdout: true, stderr: false } }
  expect(await askSecret('Passphrase', piped)).toBe(undefined)
  expect(shown).toEqual([])
})

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'])('%s ends the wait', async (name) => {
  const { io, terminal, signals } = world()
  const answer = askSecret('Passphrase', io)
  signals.emit(name)
  await expect(answer).rejects.toMatchObject({ kind: 'interrupted' })
  expect(terminal).toMatchObject({ isRaw: false, isReading: false })
  expect(signals.listenerCount(name)).toBe(0)
})

type World = ReturnType<typeof world>

test.each([
  ['Ctrl-C', ({ terminal }: World) => terminal.type('half of it\x03'), 130],
  ['SIGTERM', ({ signals }: World) => signals.emit('SIGTERM'), 143],
])('%s at a question ends the program, and nothing is made', async (_name, stop, code) => {
  const at = world()
  const ended = run(['keys', 'init'], at.io)
  while (!at.terminal.isReading) await new Promise((resolve) => setImmediate(resolve))
  stop(at)
  expect(await ended).toBe(code)
  expect(at.terminal).toMatchObject({ isRaw: false, isReading: false })
  expect(at.shown.join('')).not.toContain('half of it')
  expect(existsSync(join(directory, 'keys'))).toBe(false)
})
