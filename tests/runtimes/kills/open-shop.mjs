// The log of the kills, in whatever runtime this is.
import { openLog, string, topic } from '../../../dist/index.js';
import { inline } from '../../../dist/inline.js';
import { sqlite } from '../../../dist/sqlite.js';

export const orders = topic('orders', { value: string(), partitions: 2 });

export async function openShop(file) {
  const Database = await databaseClass();
  return openLog('shop', { host: inline({ store: sqlite(new Database(file)) }) });
}

/** The SQLite of the runtime: Bun's own, Node's and Deno's own, and libsql in a Node without one. */
export async function databaseClass() {
  if (globalThis.Bun !== undefined) return (await import('bun:sqlite')).Database;
  try {
    return (await import('node:sqlite')).DatabaseSync;
  } catch {
    return (await import('libsql')).default;
  }
}
