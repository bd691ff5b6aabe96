import type * as DecodeErrorsModule from './decode-errors.ts';
import { LazyModule } from '../../base/lazy-module.ts';

export const lazyDecodeErrors: LazyModule<typeof DecodeErrorsModule> = new LazyModule(
  'onDecodeError',
  () => import('./decode-errors.ts'),
);
