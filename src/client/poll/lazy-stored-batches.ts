import { LazyModule } from '../../base/lazy-module.ts';
import type * as StoredBatchesModule from './stored-batches.ts';

export const lazyStoredBatches: LazyModule<typeof StoredBatchesModule> = new LazyModule(
  'raw batches',
  () => import('./stored-batches.ts'),
);
