import { LazyModule } from '../../base/lazy-module.ts';
import type * as RawBatchesModule from './raw-batches.ts';

export const lazyRawBatches: LazyModule<typeof RawBatchesModule> = new LazyModule(
  'sendRaw()',
  () => import('./raw-batches.ts'),
);
