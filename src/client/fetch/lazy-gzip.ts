import type * as GzipModule from '../../record/compression/gzip.ts';
import { LazyModule } from '../../base/lazy-module.ts';

export const lazyGzip: LazyModule<typeof GzipModule> = new LazyModule(
  'gzip',
  () => import('../../record/compression/gzip.ts'),
);
