import { Dexie } from 'dexie';
import type { Table } from 'dexie';
import { CHUNK } from './case.ts';
import type { Measured, WriteInput } from './case.ts';
import { makeRecords } from './records.ts';
import type { BenchRecord, Content } from './records.ts';
import { Tally } from './tally.ts';

/** One row a record, `CHUNK` rows a `bulkAdd`. */
export async function writeDexie(input: WriteInput): Promise<Measured> {
  const { list, content } = await makeRecords(input.sample, input.records);
  const { db, table } = await open();
  const start = performance.now();
  for (let at = 0; at < list.length; at += CHUNK) {
    await table.bulkAdd(list.slice(at, at + CHUNK));
  }
  const ms = performance.now() - start;
  db.close();
  return { ...content, ms };
}

export async function readDexie(written: Content): Promise<Measured> {
  const { db, table } = await open();
  const tally = new Tally();
  const start = performance.now();
  // Generated keys begin with 1.
  for (let from = 1; ; from += CHUNK) {
    const rows = await table
      .where(':id')
      .between(from, from + CHUNK)
      .toArray();
    if (rows.length === 0) break;
    for (const row of rows) tally.add(row.value);
  }
  const ms = performance.now() - start;
  db.close();
  tally.check(written);
  return { ...written, ms };
}

async function open(): Promise<{ db: Dexie; table: Table<BenchRecord, number> }> {
  const db = new Dexie('dexie', { chromeTransactionDurability: 'relaxed' });
  db.version(1).stores({ records: '++' });
  await db.open();
  return { db, table: db.table<BenchRecord, number>('records') };
}
