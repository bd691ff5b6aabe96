import type { Measured, WriteInput } from './case.ts';
import { getAll, openRaw, put } from './raw-store.ts';
import { makeRecords } from './records.ts';
import type { BenchRecords, Content } from './records.ts';

const BUFFER_BYTES = 1024 * 1024;
/** Enough that the store never waits for the page, and little enough to be held in memory. */
const IN_FLIGHT = 8;
const BUFFERS_A_READ = 8;

/** The ceiling: the records' bytes in buffers of 1 MiB, one a transaction. */
export async function writeRaw(input: WriteInput): Promise<Measured> {
  const records = await makeRecords(input.sample, input.records);
  const buffers = packed(records);
  const db = await openRaw();
  const inFlight: Promise<void>[] = [];
  const start = performance.now();
  for (const [key, buffer] of buffers.entries()) {
    inFlight.push(put(db, key, buffer));
    if (inFlight.length === IN_FLIGHT) await inFlight.shift();
  }
  await Promise.all(inFlight);
  const ms = performance.now() - start;
  db.close();
  return { ...records.content, ms };
}

export async function readRaw(written: Content): Promise<Measured> {
  const db = await openRaw();
  let read = 0;
  const start = performance.now();
  for (let from = 0; ; from += BUFFERS_A_READ) {
    const range = IDBKeyRange.bound(from, from + BUFFERS_A_READ, false, true);
    const buffers = await getAll(db, range);
    if (buffers.length === 0) break;
    for (const buffer of buffers) read += buffer.byteLength;
  }
  const ms = performance.now() - start;
  db.close();
  const { bytes } = written;
  if (read !== bytes) throw new Error(`read ${read} bytes where ${bytes} were written`);
  return { ...written, ms };
}

function packed({ list, content: { bytes } }: BenchRecords): ArrayBuffer[] {
  const whole = new Uint8Array(bytes);
  const encoder = new TextEncoder();
  let at = 0;
  for (const { key, value } of list) {
    at += encoder.encodeInto(key, whole.subarray(at)).written;
    at += encoder.encodeInto(value, whole.subarray(at)).written;
  }
  const buffers: ArrayBuffer[] = [];
  for (let from = 0; from < bytes; from += BUFFER_BYTES) {
    buffers.push(whole.slice(from, from + BUFFER_BYTES).buffer);
  }
  return buffers;
}
