import type * as CodecsModule from '../record/codecs.ts';
import { Part } from './part.ts';

/**
 * Used by the first read of a compressed batch. A codec's own code follows when a batch needs that
 * codec.
 */
export const codecsPart: Part<typeof CodecsModule> = new Part(
  'codecs',
  () => import('../record/codecs.ts'),
);
