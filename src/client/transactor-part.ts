import { Part } from './part.ts';
import type * as TransactorModule from './transactor.ts';

export const transactorPart: Part<typeof TransactorModule> = new Part(
  'transactions',
  () => import('./transactor.ts'),
);
