import type { Row } from './row.ts';
import { BROWSER_ROWS } from './rows/browser-rows.ts';
import { CORRUPTION_ROWS } from './rows/corruption-rows.ts';
import { STORAGE_ROWS } from './rows/storage-rows.ts';
import { TAB_ROWS } from './rows/tab-rows.ts';
import { WORKER_ROWS } from './rows/worker-rows.ts';

export const ROWS: readonly Row[] = [
  ...TAB_ROWS,
  ...WORKER_ROWS,
  ...BROWSER_ROWS,
  ...STORAGE_ROWS,
  ...CORRUPTION_ROWS,
];
