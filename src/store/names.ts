import { Failure } from '../errors.ts'

const NAME = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/
const PREFIX = /^([A-Za-z0-9._-]+\/)*[A-Za-z0-9._-]*$/

/** What temporary files are called; no object has a part like that in its name. */
export const HIDDEN = /^\.pgveil-[0-9a-f]+\.part$/

/** Whether `name` fits the contract; what else lies in a bucket or a directory is none of the store's. */
export function isName(name: string): boolean {
  return NAME.test(name) && name.split('/').every(isPart)
}

function isPart(part: string): boolean {
  return part !== '.' && part !== '..' && !HIDDEN.test(part)
}

/** @throws Failure `store` where `name` is no name of an object */
export function checkName(name: string): void {
  if (isName(name)) return
  throw new Failure('store', `${JSON.stringify(name)} cannot be the name of an object`, {
    hint: 'names are parts of letters, digits and . _ - joined by /',
  })
}

/** @throws Failure `store` where no name can begin with `prefix` */
export function checkPrefix(prefix: string): void {
  const parents = prefix.split('/').slice(0, -1)
  if (PREFIX.test(prefix) && parents.every(isPart)) return
  throw new Failure('store', `no object has a name that begins with ${JSON.stringify(prefix)}`, {
    hint: 'names are parts of letters, digits and . _ - joined by /',
  })
}
