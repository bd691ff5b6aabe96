import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { PreparedDatabase } from '../../src/sqlite.ts';

/** A connection of any library that a test opens. */
export interface TestDatabase extends PreparedDatabase {
  close(): unknown;
}

type Constructor = new (file: string, options?: object) => TestDatabase;

const require = createRequire(import.meta.url);

/** The libraries of SQLite, and the class of a connection in each. */
const LIBRARIES: readonly (readonly [name: string, type: string | undefined])[] = [
  ['bun:sqlite', 'Database'],
  ['node:sqlite', 'DatabaseSync'],
  ['better-sqlite3', undefined],
  ['libsql', undefined],
];

/** The libraries that this runtime has, by their names; the first one is its own. */
export const libraries: ReadonlyMap<string, Constructor> = new Map(
  LIBRARIES.flatMap(([name, type]) => {
    try {
      const found = require(name) as Record<string, Constructor>;
      return [[name, (type === undefined ? found : found[type]) as Constructor] as const];
    } catch {
      return [];
    }
  }),
);

const folders: string[] = [];
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** The path of a database that is not there yet. */
export function newDatabaseFile(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'tablog-sqlite-'));
  folders.push(folder);
  return path.join(folder, 'shop.db');
}

/** Opens a database with the library of the runtime. */
export function openDatabase(file: string = newDatabaseFile()): TestDatabase {
  const [Database] = [...libraries.values()];
  return new Database!(file);
}
