import { LazyModule } from '../../base/lazy-module.ts';
import type * as BatchFailureModule from './batch-failure.ts';

export const lazyBatchFailure: LazyModule<typeof BatchFailureModule> = new LazyModule(
  'failures of sendBatch()',
  () => import('./batch-failure.ts'),
);
