import { openLog } from '../../../src/index.ts';
import { openRaw, put } from './raw-store.ts';
import { makeRecords } from './records.ts';
import { LOG, records } from './tablog-cases.ts';

/** Not counted: code that has not run yet is compiled, and the first rows make the store's files. */
const WARM_UP = 50;

export interface Latencies {
  /** Milliseconds, one for each record. */
  readonly tablog: readonly number[];
  readonly raw: readonly number[];
}

/** One record sent and awaited, and one raw put of the same bytes, by turns. */
export async function measureLatency(count: number): Promise<Latencies> {
  const { list } = await makeRecords('100 B', count + WARM_UP);
  const encoder = new TextEncoder();
  const db = await openRaw();
  const log = await openLog(LOG);
  await log.admin.createTopics([records]);
  const producer = log.producer({ durability: 'relaxed' });
  const tablog: number[] = [];
  const raw: number[] = [];
  for (const [i, record] of list.entries()) {
    const { buffer } = encoder.encode(record.key + record.value);
    const start = performance.now();
    await producer.send(records, record);
    const sent = performance.now();
    await put(db, i, buffer);
    const stored = performance.now();
    tablog.push(sent - start);
    raw.push(stored - sent);
  }
  db.close();
  await log.close();
  return { tablog: tablog.slice(WARM_UP), raw: raw.slice(WARM_UP) };
}
