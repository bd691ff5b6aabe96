import { LazyModule } from '../../base/lazy-module.ts';
import type * as RunnerModule from './runner.ts';

export const lazyRunner: LazyModule<typeof RunnerModule> = new LazyModule(
  'run()',
  () => import('./runner.ts'),
);
