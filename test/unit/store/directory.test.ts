import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { DirectoryStore } from '../../../src/store/directory.ts'
import { AbsentObject } from '../../../src/store/store.ts'
import { names, readAll, writeAll } from '../../fixtures/store-conformance.ts'

const MIB = 1024 * 1024
const HOUR_MS = 60 * 60 * 1000

let base: string
let path: string
let store: DirectoryStore
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'pgveil-directory-')))
  path = join(base, 'store')
  mkdirSync(path)
  store = new DirectoryStore({ kind: 'directory', path })
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

test('what it makes is for this user alone', async () => {
  await writeAll(store, 'a/b/c', [Buffer.from('x')])
  await store.create('a/d', Buffer.from('y'))
  expect(statSync(join(path, 'a/b/c')).mode & 0o777).toBe(0o600)
  expect(statSync(join(path, 'a/d')).mode & 0o777).toBe(0o600)
  for (const made of ['a', 'a/b']) expect(statSync(join(path, made)).mode & 0o777).toBe(0o700)
  expect(readdirSync(path)).toEqual(['a'])
})

test('a directory that is not there is not made: the disk may be unmounted', async () => {
  rmSync(path, { recursive: true })
  for (const act of [
    () => store.check(),
    () => names(store),
    () => readAll(store, 'a'),
    () => writeAll(store, 'a', [Buffer.from('x')]),
    () => store.create('a', Buffer.from('x')),
    () => store.delete(['a']),
  ]) {
    await expect(act()).rejects.toMatchObject({ kind: 'store' })
    await expect(act()).rejects.not.toBeInstanceOf(AbsentObject)
  }
  await expect(store.check()).rejects.toMatchObject({ hint: expect.stringContaining('mount') })
  expect(existsSync(path)).toBe(false)
})

test('a file in place of the directory is told of', async () => {
  rmSync(path, { recursive: true })
  writeFileSync(path, '')
  await expect(store.check()).rejects.toMatchObject({ message: `${path} is no directory` })
})

test('symbolic links lead nowhere', async () => {
  const outside = join(base, 'outside')
  mkdirSync(outside)
  writeFileSync(join(outside, 'secret'), 'secret')
  symlinkSync(outside, join(path, 'link'))
  symlinkSync(join(outside, 'secret'), join(path, 'file'))
  expect(await names(store)).toEqual([])
  for (const act of [
    () => readAll(store, 'link/secret'),
    () => readAll(store, 'file'),
    () => writeAll(store, 'link/new', [Buffer.from('x')]),
    () => writeAll(store, 'link/deep/new', [Buffer.from('x')]),
    () => store.create('link/new', Buffer.from('x')),
    () => store.delete(['link/secret']),
  ]) {
    await expect(act()).rejects.toMatchObject({
      kind: 'store',
      message: expect.stringContaining('symbolic link'),
    })
  }
  expect(readdirSync(outside)).toEqual(['secret'])
  expect(readdirSync(path).sort()).toEqual(['file', 'link'])
  // A link of the object's own name is replaced, not followed.
  await writeAll(store, 'file', [Buffer.from('mine')])
  expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret')
  expect(readFileSync(join(path, 'file'), 'utf8')).toBe('mine')
})

test('create does not follow a link that is there', async () => {
  symlinkSync(join(base, 'elsewhere'), join(path, 'a'))
  await expect(store.create('a', Buffer.from('x'))).rejects.toMatchObject({ kind: 'refused' })
  expect(existsSync(join(base, 'elsewhere'))).toBe(false)
})

test('what is in the way is told of', async () => {
  writeFileSync(join(path, 'a'), 'x')
  mkdirSync(join(path, 'd', 'e'), { recursive: true })
  await expect(writeAll(store, 'a/b', [Buffer.from('x')])).rejects.toMatchObject({
    message: expect.stringContaining('is no directory'),
  })
  await expect(writeAll(store, 'd', [Buffer.from('x')])).rejects.toMatchObject({ kind: 'store' })
  await expect(readAll(store, 'a/b')).rejects.toBeInstanceOf(AbsentObject)
  await expect(readAll(store, 'd')).rejects.toBeInstanceOf(AbsentObject)
  expect(readdirSync(path).sort()).toEqual(['a', 'd'])
})

test('what was written is there in whole or not at all, however a write fails', async () => {
  const script = `
    import { openStore } from ${JSON.stringify(new URL('../../../dist/store/open.js', import.meta.url).href)}
    const store = await openStore({ kind: 'directory', path: ${JSON.stringify(path)} })
    const writer = store.write('a')
    try {
      for (let i = 0; i < 8; i++) await writer.write(Buffer.alloc(${MIB}))
      await writer.complete()
    } catch (error) {
      console.log(JSON.stringify({ kind: error.kind, message: error.message, hint: error.hint }))
    }
    await writer.abort()`
  // No file beyond 3 MiB, in blocks of 512 or 1,024 bytes: what a full disk does, without one.
  const limited = 'trap "" XFSZ; ulimit -f 3072; exec "$0" --input-type=module -e "$1"'
  const run = promisify(execFile)('sh', ['-c', limited, process.execPath, script])
  expect(JSON.parse((await run).stdout)).toMatchObject({
    kind: 'store',
    message: `cannot write ${join(path, 'a')}: the file system takes no file that large`,
  })
  expect(readdirSync(path)).toEqual([])
})

test('a file that is cut off while it is read is a failure', async () => {
  await writeAll(store, 'a', [randomBytes(3 * MIB)])
  const reading = (async () => {
    for await (const _ of store.read('a')) truncateSync(join(path, 'a'), MIB)
  })()
  await expect(reading).rejects.toMatchObject({
    kind: 'store',
    message: expect.stringContaining('it ends at byte'),
  })
})

test('a file that is replaced while it is read stays what it was', async () => {
  const bytes = randomBytes(3 * MIB)
  await writeAll(store, 'a', [bytes])
  const chunks: Buffer[] = []
  for await (const chunk of store.read('a')) {
    if (chunks.length === 0) await writeAll(store, 'a', [Buffer.from('other')])
    chunks.push(chunk)
  }
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
})

test('reads in pieces of a size that later stages like', async () => {
  await writeAll(store, 'a', [randomBytes(3 * MIB)])
  for await (const { length } of store.read('a')) {
    expect(length).toBeGreaterThanOrEqual(256 * 1024)
    expect(length).toBeLessThanOrEqual(MIB)
  }
})

test('stranded finds temporary files that nobody has written to since', async () => {
  const part = join(path, '.pgveil-0123456789abcdef.part')
  writeFileSync(part, 'half')
  const then = new Date(Date.now() - 2 * HOUR_MS)
  utimesSync(part, then, then)
  const writer = store.write('under/way')
  await writer.write(randomBytes(3 * MIB))
  await writer.write(randomBytes(3 * MIB))
  expect(readdirSync(path)).toHaveLength(2)
  const before = new Date(Date.now() - HOUR_MS)
  const line = expect.stringContaining(part)
  expect(await names(store)).toEqual([])
  expect(await store.stranded(before, { remove: false })).toEqual([line])
  expect(await store.stranded(before, { remove: true })).toEqual([line])
  expect(await store.stranded(before, { remove: true })).toEqual([])
  await writer.complete()
  expect(await names(store)).toEqual(['under/way'])
})

test('files that are none of the store’s are not shown and stay', async () => {
  writeFileSync(join(path, 'with space'), 'x')
  mkdirSync(join(path, 'lost+found'))
  expect(await names(store)).toEqual([])
  expect(readdirSync(path).sort()).toEqual(['lost+found', 'with space'])
})

test('removing takes directories along as far as they are empty', async () => {
  await writeAll(store, 'a/b/c/1', [Buffer.from('x')])
  await writeAll(store, 'a/2', [Buffer.from('x')])
  await store.delete(['a/b/c/1'])
  expect(readdirSync(join(path, 'a'))).toEqual(['2'])
  await store.delete(['a/2'])
  expect(readdirSync(path)).toEqual([])
})

test('objects are written and removed side by side in one directory', async () => {
  await Promise.all(
    Array.from({ length: 40 }, async (_, i) => {
      await writeAll(store, `x/y/${i}`, [Buffer.from('x')])
      await store.delete([`x/y/${i}`])
    }),
  )
  expect(readdirSync(path)).toEqual([])
})

const asRoot = process.getuid?.() === 0
;(asRoot ? test.skip : test)('a directory that may not be written to is told of', async () => {
  chmodSync(path, 0o500)
  await expect(store.check()).rejects.toMatchObject({ message: expect.stringContaining('denied') })
})
