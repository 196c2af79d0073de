import { DirectoryStore } from './directory.ts'
import type { Store, StoreSettings } from './store.ts'

/** Opens a store; nothing is asked of it yet, see Store.check. The S3 client is loaded only where it is needed. */
export async function openStore(settings: StoreSettings): Promise<Store> {
  if (settings.kind === 'directory') return new DirectoryStore(settings)
  const { openS3Store } = await import('./s3.ts')
  return openS3Store(settings)
}

/** Loads what `openStore` will need: the S3 client takes a third of a second of processor time. */
export async function loadStore(kind: StoreSettings['kind']): Promise<void> {
  if (kind === 's3') await import('./s3.ts')
}
