import type * as CodecsModule from '../record/codecs.ts';
import { Part } from './part.ts';

/** Inflates compressed batches; of the codecs, gzip is a part too, and others are loaded when a batch needs them. */
export const codecsPart: Part<typeof CodecsModule> = new Part(
  'codecs',
  () => import('../record/codecs.ts'),
);
