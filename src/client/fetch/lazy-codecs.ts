import type * as CodecsModule from '../../record/compression/codecs.ts';
import { LazyModule } from '../../base/lazy-module.ts';

/**
 * The registry of codecs. Each codec, except for gzip, is loaded by the first batch that needs it.
 */
export const lazyCodecs: LazyModule<typeof CodecsModule> = new LazyModule(
  'codecs',
  () => import('../../record/compression/codecs.ts'),
);
