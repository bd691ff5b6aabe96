import { LazyModule } from '../../base/lazy-module.ts';
import type * as WitnessWriterModule from './witness-writer.ts';

export const lazyWitnessWriter: LazyModule<typeof WitnessWriterModule> = new LazyModule(
  'the witness of a log',
  () => import('./witness-writer.ts'),
);
