import { openDB } from 'idb';
import type { DBSchema, IDBPDatabase } from 'idb';
import { CHUNK, Tally } from './case.ts';
import type { CaseInput, Measured } from './case.ts';
import { makeRecords } from './records.ts';
import type { BenchRecord } from './records.ts';

interface Schema extends DBSchema {
  records: { key: number; value: BenchRecord };
}

/** One row a record, `CHUNK` rows a transaction. */
export async function writeIdb(input: CaseInput): Promise<Measured> {
  const { list, bytes } = await makeRecords(input.sample, input.records);
  const db = await open();
  const start = performance.now();
  for (let at = 0; at < list.length; at += CHUNK) {
    const tx = db.transaction('records', 'readwrite', { durability: 'relaxed' });
    const added = list.slice(at, at + CHUNK).map((record) => tx.store.add(record));
    await Promise.all([...added, tx.done]);
  }
  const ms = performance.now() - start;
  db.close();
  return { records: list.length, bytes, ms };
}

export async function readIdb(input: CaseInput): Promise<Measured> {
  const { list, bytes } = await makeRecords(input.sample, input.records);
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
  tally.check(list);
  return { records: tally.records, bytes, ms };
}

function open(): Promise<IDBPDatabase<Schema>> {
  return openDB<Schema>('idb', 1, {
    upgrade: (db) => void db.createObjectStore('records', { autoIncrement: true }),
  });
}
