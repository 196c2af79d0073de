import type { Options } from 'yargs'
import type { Backup } from '../backup/backups.ts'
import type { Configured } from '../config/config.ts'
import type { Store } from '../store/store.ts'

/** Options of every command that looks at one backup. */
export const BACKUP_CHOICE = {
  label: {
    type: 'string',
    requiresArg: true,
    description: 'which backup (default: the latest)',
  },
  name: {
    type: 'string',
    requiresArg: true,
    description: 'of which database the latest, where the store holds several',
  },
} as const satisfies Record<string, Options>

/**
 * Finds the backup that the command line means, and hands it and its open store to `work`.
 *
 * @throws Failure `usage` where there is none, or not clear which is meant; `integrity`, `key`, `store`
 */
export async function withBackup<T>(
  settings: Configured<'store' | 'backup'>,
  args: Readonly<Record<string, unknown>>,
  work: (store: Store, backup: Backup) => Promise<T>,
): Promise<T> {
  const [{ findBackup }, { loadSigners }, { openStore }] = await Promise.all([
    import('../backup/backups.ts'),
    import('../backup/keys.ts'),
    import('../store/open.ts'),
  ])
  const store = await openStore(settings.store)
  try {
    await store.check()
    const choice = {
      label: args['label'] as string | undefined,
      name: args['name'] as string | undefined,
    }
    return await work(store, await findBackup(store, await loadSigners(settings.backup), choice))
  } finally {
    await store.close()
  }
}
