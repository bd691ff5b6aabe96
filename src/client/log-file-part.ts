import type * as LogFileModule from './log-file.ts';
import { Part } from './part.ts';

export const logFilePart: Part<typeof LogFileModule> = new Part(
  'log files',
  () => import('./log-file.ts'),
);
