import type { Content, Sample } from './records.ts';

/** What a case that writes is asked to do. Node sends it, so it is plain data. */
export interface WriteInput {
  readonly sample: Sample;
  readonly records: number;
  readonly compression?: 'none' | 'gzip';
}

/** What has been moved, and in which time. */
export interface Measured extends Content {
  readonly ms: number;
}

/** Writes records into a store that is new. */
export type WriteCase = (input: WriteInput) => Promise<Measured>;

/** Reads all that was written, and throws where that is not what it finds. */
export type ReadCase = (written: Content) => Promise<Measured>;

/** Records in one transaction of idb and Dexie, and in one `sendBatch`. */
export const CHUNK = 1_000;
