import type * as CodecsModule from '../../record/compression/codecs.ts';
import { LazyModule } from '../../base/lazy-module.ts';

/**
 * Finds the codec of a batch. The codecs themselves, but gzip, are loaded by the first batch of
 * theirs.
 */
export const lazyCodecs: LazyModule<typeof CodecsModule> = new LazyModule(
  'codecs',
  () => import('../../record/compression/codecs.ts'),
);
