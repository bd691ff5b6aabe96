import type * as CodecsModule from '../record/codecs.ts';
import { Part } from './part.ts';

/** Finds the codec of a batch. The codecs themselves, but gzip, are loaded by the first batch of theirs. */
export const codecsPart: Part<typeof CodecsModule> = new Part(
  'codecs',
  () => import('../record/codecs.ts'),
);
