import type { Sample } from './records.ts';

/** What a case is asked to do. Node sends it, so it is plain data. */
export interface CaseInput {
  readonly sample: Sample;
  /** How many records to write, or to find when reading. */
  readonly records: number;
  readonly compression?: 'none' | 'gzip';
}

export interface Measured {
  readonly records: number;
  /** UTF-8 bytes of keys and values, whatever the store made of them. */
  readonly bytes: number;
  readonly ms: number;
}

export type Case = (input: CaseInput) => Promise<Measured>;

/** Records in one transaction of idb and Dexie, and in one `sendBatch`. */
export const CHUNK = 1_000;

/**
 * Counts what a reader finds, by looking at every value: so that none can be skipped, and one that
 * is lost, doubled or damaged fails the run.
 */
export class Tally {
  records = 0;
  #length = 0;

  add(value: string | null): void {
    this.records++;
    this.#length += value!.length;
  }

  check(expected: readonly { readonly value: string }[]): void {
    if (this.records !== expected.length) {
      throw new Error(`read ${this.records} records where ${expected.length} were written`);
    }
    const length = expected.reduce((sum, { value }) => sum + value.length, 0);
    if (this.#length !== length) {
      throw new Error(`read ${this.#length} characters where ${length} were written`);
    }
  }
}
