import { openDB } from 'idb';
import type { DBSchema, IDBPDatabase } from 'idb';
import { CHUNK } from './case.ts';
import type { Measured, WriteInput } from './case.ts';
import { makeRecords } from './records.ts';
import type { BenchRecord, Content } from './records.ts';
import { Tally } from './tally.ts';

interface Schema extends DBSchema {
  records: { key: number; value: BenchRecord };
}

/** One row a record, `CHUNK` rows a transaction. */
export async function writeIdb(input: WriteInput): Promise<Measured> {
  const { list, content } = await makeRecords(input.sample, input.records);
  const db = await open();
  const start = performance.now();
  for (let at = 0; at < list.length; at += CHUNK) {
    const tx = db.transaction('records', 'readwrite', { durability: 'relaxed' });
    const added = list.slice(at, at + CHUNK).map((record) => tx.store.add(record));
    await Promise.all([...added, tx.done]);
  }
  const ms = performance.now() - start;
  db.close();
  return { ...content, ms };
}

export async function readIdb(written: Content): Promise<Measured> {
  const db = await open();
  const tally = new Tally();
  const start = performance.now();
  // Generated keys begin with 1.
  for (let from = 1; ; from += CHUNK) {
    const rows = await db.getAll('records', IDBKeyRange.bound(from, from + CHUNK, false, true));
    if (rows.length === 0) break;
    for (const row of rows) tally.add(row.value);
  }
  const ms = performance.now() - start;
  db.close();
  tally.check(written);
  return { ...written, ms };
}

function open(): Promise<IDBPDatabase<Schema>> {
  return openDB<Schema>('idb', 1, {
    upgrade: (db) => void db.createObjectStore('records', { autoIncrement: true }),
  });
}
