import { LazyModule } from '../../base/lazy-module.ts';
import type * as TransactorModule from './transaction-manager.ts';

export const lazyTransactionManager: LazyModule<typeof TransactorModule> = new LazyModule(
  'transactions',
  () => import('./transaction-manager.ts'),
);
