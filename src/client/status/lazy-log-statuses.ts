import { LazyModule } from '../../base/lazy-module.ts';
import type * as LogStatusesModule from './log-statuses.ts';

export const lazyLogStatuses: LazyModule<typeof LogStatusesModule> = new LazyModule(
  'status()',
  () => import('./log-statuses.ts'),
);
