import type { Row } from '../row.ts';

/** What happens to the storage. */
export const STORAGE_ROWS: readonly Row[] = [];
