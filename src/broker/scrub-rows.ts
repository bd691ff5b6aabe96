import { LOG_CORRUPT } from '../base/error-rules.ts';
import { TablogError, toTablogError } from '../base/error.ts';
import type { FoundFault } from '../protocol/scrub.ts';
import {
  GROUPS,
  OFFSETS,
  PRODUCERS,
  TOPICS,
  damagedPartitions,
  logOf,
  logRef,
  topicsVersionOf,
  topicsVersionRef,
} from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { isProducer } from './groups/transactional-ids.ts';
import { isGroup } from './rows/group-row.ts';
import { isOffset } from './rows/offset-row.ts';
import { isTopic } from './rows/topic-row.ts';

/** The shape of a row of each store. */
const ROWS: readonly (readonly [store: string, isWhole: (row: unknown) => boolean])[] = [
  [TOPICS, isTopic],
  [GROUPS, isGroup],
  [OFFSETS, isOffset],
  [PRODUCERS, isProducer],
];

/** The faults of the rows that are of no partition. */
export async function scrubRows(store: Pick<Store, 'read' | 'readAll'>): Promise<FoundFault[]> {
  const errors: TablogError[] = [];
  const [log, version] = await store.read([logRef, topicsVersionRef]);
  try {
    logOf(log);
  } catch (error) {
    errors.push(toTablogError(error));
  }
  if (topicsVersionOf(version) < 0) errors.push(damagedPartitions());
  for (const [name, isWhole] of ROWS) {
    const rows = await store.readAll<unknown>(name);
    const damaged = rows.filter((row) => !isWhole(row)).length;
    if (damaged > 0) errors.push(damagedRows(name, damaged, rows.length));
  }
  return errors.map(({ code, message }) => ({ from: null, to: null, code, message }));
}

function damagedRows(store: string, damaged: number, all: number): TablogError {
  const rule = { ...LOG_CORRUPT, next: 'The calls that need one of them name its key.' };
  const happened = `${damaged} of the ${all} rows of the store '${store}' are not what was written`;
  return new TablogError(rule, happened);
}
