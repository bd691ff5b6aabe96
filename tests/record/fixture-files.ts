import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Bytes } from '../support/batches.ts';

const FOLDER = fileURLToPath(new URL('../../../shared/fixtures/', import.meta.url));

/** Test vectors that lie beside the repository, and not everywhere. */
export function hasFixtures(folder: 'hash' | 'recordbatch'): boolean {
  return existsSync(`${FOLDER}${folder}`);
}

/** Says in a suite's name why its cases are skipped. */
export function titled(title: string, folder: 'hash' | 'recordbatch'): string {
  return hasFixtures(folder)
    ? title
    : `${title} (skipped: no fixtures/${folder} beside the repository)`;
}

/** What is in the JSON file at `path`, or `missing` where there is none. */
export function readJsonOr<T>(path: string, missing: T): T {
  return existsSync(FOLDER + path)
    ? (JSON.parse(readFileSync(FOLDER + path, 'utf8')) as T)
    : missing;
}

export function readFixture(path: string): Bytes {
  return Uint8Array.from(readFileSync(FOLDER + path));
}
