import type * as LogFileModule from './log-file.ts';
import { LazyModule } from '../../base/lazy-module.ts';

export const lazyLogFile: LazyModule<typeof LogFileModule> = new LazyModule(
  'log files',
  () => import('./log-file.ts'),
);
