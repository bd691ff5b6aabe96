import type * as CodecsModule from '../record/codecs.ts';
import { Part } from './part.ts';

/** Loaded by those who read compressed batches, and by nobody else. */
export const codecsPart: Part<typeof CodecsModule> = new Part(
  'codecs',
  () => import('../record/codecs.ts'),
);
