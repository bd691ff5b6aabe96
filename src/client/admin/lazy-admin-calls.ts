import { LazyModule } from '../../base/lazy-module.ts';
import type * as AdminCallsModule from './admin-calls.ts';

export const lazyAdminCalls: LazyModule<typeof AdminCallsModule> = new LazyModule(
  'log.admin',
  () => import('./admin-calls.ts'),
);
