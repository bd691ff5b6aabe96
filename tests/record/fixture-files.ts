import { readFileSync } from 'node:fs';
import type { Bytes } from '../support/batches.ts';

/** tests/fixtures/README.md says where its vectors come from. */
const FOLDER = new URL('../fixtures/', import.meta.url);

export function readJson(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, FOLDER), 'utf8'));
}

export function readFixture(path: string): Bytes {
  return Uint8Array.from(readFileSync(new URL(path, FOLDER)));
}
