import type * as DecodeErrorsModule from './decode-errors.ts';
import { Part } from './part.ts';

export const decodeErrorsPart: Part<typeof DecodeErrorsModule> = new Part(
  'onDecodeError',
  () => import('./decode-errors.ts'),
);
