import { Failure } from '../errors.ts'

const REASONS: Readonly<Record<string, [reason: string, hint: string]>> = {
  ENOSPC: ['the disk is full', 'make room, or let retention remove older backups'],
  EDQUOT: ['the quota of this user is used up', 'raise the quota, or remove older backups'],
  EACCES: ['permission denied', 'let the user that runs pgveil read, write and search there'],
  EPERM: ['operation not permitted', 'look at owner, attributes and mount options there'],
  EROFS: ['the file system is read-only', 'mount it for writing; did it fall back after an error?'],
  EIO: [
    'the disk reports an input/output error',
    'look at the system log; the disk may be failing',
  ],
  ENOENT: ['it is not there', 'was it removed or unmounted meanwhile?'],
  ENOTDIR: ['a part of the path is no directory', 'move away the file that is in the way'],
  EISDIR: ['there is a directory of that name', 'move away the directory that is in the way'],
  ELOOP: ['there is a symbolic link of that name', 'objects are plain files: remove the link'],
  ENAMETOOLONG: ['the path is too long', 'choose a shorter directory'],
  EMFILE: ['too many files are open', 'raise the limit of open files (ulimit -n)'],
  ENFILE: ['too many files are open on this machine', 'raise the limit of open files'],
  ESTALE: ['the network file system lost the file', 'look at the mount and its server'],
  EFBIG: ['the file system takes no file that large', 'choose another file system'],
  ENOTSUP: ['the file system cannot do that', 'choose one with hard links, such as ext4 or XFS'],
  ENOSYS: ['the file system cannot do that', 'choose one with hard links, such as ext4 or XFS'],
}

/** The code of a system error, like ENOENT; '' for what is none. */
export function diskCode(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : ''
}

/**
 * What a failed call of the file system means to the user.
 *
 * @param doing what was tried and with what, like `write /srv/backups/a`
 */
export function diskFailure(error: unknown, doing: string): unknown {
  const code = diskCode(error)
  if (error instanceof Failure || code === '') return error
  const [reason, hint] = REASONS[code] ?? [`the system says ${code}`, undefined]
  return new Failure('store', `cannot ${doing}: ${reason}`, {
    ...(hint && { hint }),
    cause: error,
  })
}
