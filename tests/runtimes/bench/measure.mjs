// What one runtime takes for the same records: SQLite alone, and tablog over it, in turn. Writes a line
// of JSON: the rates of each case's rounds, in records a second.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openLog, topic } from '../../../dist/index.js';
import { inline } from '../../../dist/inline.js';
import { sqlite } from '../../../dist/sqlite.js';
import { databaseClass } from '../kills/open-shop.mjs';

const RECORDS = 200_000;
const AWAITED = 2_000;
const ROUNDS = 3;
const ROWS_A_TRANSACTION = 1_000;
const BLOB_BYTES = 1024 * 1024;
const value = new Uint8Array(100).map((_, i) => (i * 31) & 0xff);
const blob = new Uint8Array(BLOB_BYTES).map((_, i) => (i * 31) & 0xff);
const orders = topic('orders');

const Database = await databaseClass();
const folder = mkdtempSync(path.join(tmpdir(), 'tablog-bench-'));
/** @type {Record<string, number[]>} */
const rates = {};
for (let round = 0; round < ROUNDS; round++) {
  plain('rows of SQLite', RECORDS, (database) => insertRows(database, RECORDS, ROWS_A_TRANSACTION));
  plain('1 MiB blobs of SQLite', RECORDS, (database) => {
    insertBlobs(database, Math.ceil((RECORDS * value.length) / BLOB_BYTES));
  });
  await tablog();
  plain('one row after the other', AWAITED, (database) => insertRows(database, AWAITED, 1));
}
rmSync(folder, { recursive: true });
console.log(JSON.stringify(rates));

function open(name) {
  return new Database(path.join(folder, `${name}-${Math.random()}.db`));
}

function note(name, records, began) {
  rates[name] ??= [];
  rates[name].push(records / ((performance.now() - began) / 1000));
}

function plain(name, records, work) {
  const database = open('plain');
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = NORMAL');
  database.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, value BLOB)');
  const began = performance.now();
  work(database);
  note(name, records, began);
  database.close();
}

function insertRows(database, count, aTransaction) {
  const insert = database.prepare('INSERT INTO rows (id, value) VALUES (?, ?)');
  for (let at = 0; at < count; at += aTransaction) {
    database.exec('BEGIN IMMEDIATE');
    for (let i = 0; i < aTransaction; i++) insert.run(null, value);
    database.exec('COMMIT');
  }
}

function insertBlobs(database, count) {
  const insert = database.prepare('INSERT INTO rows (id, value) VALUES (?, ?)');
  for (let i = 0; i < count; i++) insert.run(null, blob);
}

async function tablog() {
  const database = open('tablog');
  const log = await openLog('shop', { host: inline({ store: sqlite(database) }) });
  await log.admin.createTopics([orders]);
  const producer = log.producer();
  const records = Array.from({ length: RECORDS }, () => ({ value }));
  let began = performance.now();
  await producer.sendBatch(orders, records);
  note('tablog, sendBatch', RECORDS, began);
  began = performance.now();
  let left = RECORDS;
  for await (const batch of log.consumer({ topics: [orders], from: 'earliest' }).batches()) {
    left -= batch.messages.length;
    if (left === 0) break;
  }
  note('tablog, batches()', RECORDS, began);
  began = performance.now();
  for (let i = 0; i < AWAITED; i++) await producer.send(orders, { value });
  note('tablog, send and await', AWAITED, began);
  await log.close();
  database.close();
}
