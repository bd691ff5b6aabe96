import type * as GzipModule from '../record/gzip.ts';
import { Part } from './part.ts';

export const gzipPart: Part<typeof GzipModule> = new Part(
  'gzip',
  () => import('../record/gzip.ts'),
);
