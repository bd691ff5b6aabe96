import { LazyModule } from '../../base/lazy-module.ts';
import type * as HeldSubmissionsModule from './held-submissions.ts';

export const lazyHeldSubmissions: LazyModule<typeof HeldSubmissionsModule> = new LazyModule(
  'sending with serdes that wait',
  () => import('./held-submissions.ts'),
);
