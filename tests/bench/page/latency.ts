import { openLog } from '../../../src/index.ts';
import { openRaw, put } from './raw-store.ts';
import { makeRecords } from './records.ts';
import { LOG, inMemory, records } from './tablog-cases.ts';

/** Not counted: code that has not run yet is compiled, and the first rows make the store's files. */
const WARM_UP = 50;

export interface Latencies {
  /** Milliseconds, one for each record. */
  readonly tablog: readonly number[];
  readonly memory: readonly number[];
  readonly raw: readonly number[];
}

/** One record sent and awaited, to disk and to memory, and one raw put of the same bytes, by turns. */
export async function measureLatency(count: number): Promise<Latencies> {
  const { list } = await makeRecords('100 B', count + WARM_UP);
  const encoder = new TextEncoder();
  const db = await openRaw();
  const log = await openLog(LOG);
  await log.admin.createTopics([records, inMemory]);
  const producer = log.producer({ durability: 'relaxed' });
  const tablog: number[] = [];
  const memory: number[] = [];
  const raw: number[] = [];
  for (const [i, record] of list.entries()) {
    const { buffer } = encoder.encode(record.key + record.value);
    const start = performance.now();
    await producer.send(records, record);
    const sent = performance.now();
    await put(db, i, buffer);
    const stored = performance.now();
    await producer.send(inMemory, record);
    const kept = performance.now();
    tablog.push(sent - start);
    raw.push(stored - sent);
    memory.push(kept - stored);
  }
  db.close();
  await log.close();
  const [ofTablog, ofMemory, ofRaw] = [tablog, memory, raw].map((all) => all.slice(WARM_UP));
  return { tablog: ofTablog!, memory: ofMemory!, raw: ofRaw! };
}
