import { LazyModule } from '../../base/lazy-module.ts';
import type * as LogCallsModule from './log-calls.ts';

export const lazyLogCalls: LazyModule<typeof LogCallsModule> = new LazyModule(
  'log.diagnostics() and log.persist()',
  () => import('./log-calls.ts'),
);
