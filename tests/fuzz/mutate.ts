import { TablogError } from '../../src/base/error.ts';
import { compressBatch } from '../../src/log/compress.ts';
import {
  ATTRIBUTE,
  CODEC,
  FIELD,
  MAGIC,
  codecName,
  viewOf,
} from '../../src/record/batch-format.ts';
import type { Codec } from '../../src/record/batch-format.ts';
import { placeBatch, sealBatch } from '../../src/record/batch-seal.ts';
import { inflate } from '../../src/record/compression/codecs.ts';
import { gunzipRecords } from '../../src/record/compression/gzip.ts';
import { concat } from '../../src/record/concat.ts';
import type { Random } from '../checker/random.ts';
import type { Bytes } from '../support/batches.ts';
import type { Corpus } from './corpus.ts';

const BYTES = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff];
const INTEGERS = [0, 1, -1, 2, 49, 61, 255, 256, 65_535, 1 << 20, 1 << 28, 2 ** 31 - 1, -(2 ** 31)];
const LONGS = [0n, 1n, -1n, 2n ** 31n, 2n ** 40n, 2n ** 52n, 2n ** 53n - 1n, 2n ** 53n].concat([
  2n ** 63n - 1n,
  -(2n ** 63n),
  -(2n ** 53n),
  1_700_000_000_000n,
]);

/** Varints: extreme values of 32 and 64 bits, longer than needed, and without an end. */
const VARINTS = [
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xfe, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
  [0x80, 0x80, 0x80, 0x80, 0x00],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
  [0x01],
  [0x7e],
];

const LONG_FIELDS = [FIELD.baseOffset, FIELD.baseTimestamp, FIELD.maxTimestamp, FIELD.producerId];
const INTEGER_FIELDS = [
  FIELD.batchLength,
  FIELD.lastOffsetDelta,
  FIELD.recordCount,
  FIELD.baseSequence,
  FIELD.crc,
];

const MAX_MUTATIONS = 4;
const MAX_RUN_BYTES = 64;
/** Bytes that a mutation inflates before it mutates them. */
const MAX_INFLATED_BYTES = 256 * 1024;

type Mutation = (bytes: Bytes, random: Random, corpus: Corpus) => Bytes;

const position = (bytes: Uint8Array, random: Random): number =>
  random.int(0, Math.max(bytes.length - 1, 0));

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  flip: (bytes, random) => {
    if (bytes.length > 0) bytes[position(bytes, random)]! ^= 1 << random.int(0, 7);
    return bytes;
  },
  set: (bytes, random) => {
    if (bytes.length > 0) bytes[position(bytes, random)] = random.pick(BYTES);
    return bytes;
  },
  /** An integer of the header, which counts or measures. */
  field: (bytes, random) => {
    if (bytes.length < FIELD.records) return bytes;
    const view = viewOf(bytes);
    if (random.chance(0.4)) view.setBigInt64(random.pick(LONG_FIELDS), random.pick(LONGS));
    else if (random.chance(0.3)) view.setInt16(FIELD.attributes, random.int(0, 0xffff));
    else if (random.chance(0.2)) view.setInt16(FIELD.producerEpoch, random.pick(INTEGERS));
    else if (random.chance(0.1)) view.setInt8(FIELD.magic, random.int(-1, 3));
    else {
      const at = random.pick(INTEGER_FIELDS);
      const near = view.getInt32(at) + random.int(-3, 3);
      view.setInt32(at, random.chance(0.5) ? near : random.pick(INTEGERS));
    }
    return bytes;
  },
  integer: (bytes, random) => {
    const at = random.int(0, Math.max(bytes.length - 4, 0));
    if (bytes.length >= 4) viewOf(bytes).setInt32(at, random.pick(INTEGERS), random.chance(0.5));
    return bytes;
  },
  varint: (bytes, random) => {
    const room = bytes.subarray(Math.max(FIELD.records, position(bytes, random)));
    room.set(random.pick(VARINTS).slice(0, room.length));
    return bytes;
  },
  truncate: (bytes, random) => bytes.slice(0, random.int(0, bytes.length)),
  extend: (bytes, random) =>
    joined(bytes, new Uint8Array(random.int(1, MAX_RUN_BYTES)).fill(random.pick(BYTES))),
  remove: (bytes, random) => {
    const from = position(bytes, random);
    return joined(bytes.subarray(0, from), bytes.subarray(from + random.int(1, MAX_RUN_BYTES)));
  },
  repeat: (bytes, random) => {
    const from = position(bytes, random);
    const to = from + random.int(1, MAX_RUN_BYTES);
    return joined(bytes.subarray(0, to), bytes.subarray(from));
  },
  /** The beginning of one batch and the end of another, or both. */
  splice: (bytes, random, { batches }) => {
    const other = random.pick(batches);
    if (random.chance(0.3)) return joined(bytes, other);
    const at = random.chance(0.5) ? FIELD.records : position(bytes, random);
    return joined(bytes.subarray(0, at), other.subarray(at));
  },
  /** Another codec's records, or noise, under this batch's header. */
  payload: (bytes, random, { batches }) => {
    const records = random.chance(0.7)
      ? random.pick(batches).subarray(FIELD.records)
      : Uint8Array.from({ length: random.int(0, 300) }, () => random.int(0, 255));
    const replaced = joined(bytes.subarray(0, FIELD.records), records);
    if (random.chance(0.7)) setCodec(replaced, random.int(0, 5));
    return replaced;
  },
  /** Mutated records behind a codec that is intact. */
  inner: (bytes, random, corpus) => {
    const records = recordsOf(bytes);
    if (records === undefined) return bytes;
    let plain = joined(bytes.subarray(0, FIELD.records), records);
    for (let i = random.int(1, MAX_MUTATIONS); i > 0; i--) {
      const how = random.pick(['flip', 'set', 'varint', 'remove', 'repeat', 'truncate'] as const);
      plain = MUTATIONS[how]!(plain, random, corpus);
    }
    if (plain.length < FIELD.records) return plain;
    setCodec(plain, CODEC.none);
    return packed(plain, random.pick(['none', 'gzip', 'snappy', 'lz4', 'zstd']));
  },
};

const NAMES = Object.keys(MUTATIONS);

/** A batch or several, and the names of what was done to them. */
export interface Mutated {
  readonly bytes: Bytes;
  readonly how: string;
}

/** A mutated batch. Its length, magic, CRC and place are mostly mended, so that it gets far. */
export function mutatedBatch(random: Random, corpus: Corpus): Mutated {
  let bytes: Bytes = random.pick(corpus.batches).slice();
  const how: string[] = [];
  for (let i = random.int(1, MAX_MUTATIONS); i > 0; i--) {
    const name = random.pick(NAMES);
    bytes = MUTATIONS[name]!(bytes, random, corpus);
    how.push(name);
  }
  mend(bytes, random, how);
  return { bytes, how: how.join(' ') };
}

/** A mutated log file: a file with batches replaced, or one put together from batches. */
export function mutatedFile(random: Random, corpus: Corpus): Mutated {
  const parts: Bytes[] = [];
  const how: string[] = [];
  if (random.chance(0.3)) {
    const name = random.pick(NAMES);
    parts.push(MUTATIONS[name]!(random.pick(corpus.files).slice(), random, corpus));
    how.push(`file: ${name}`);
  }
  let offset = 0;
  for (let i = random.int(0, 3); i > 0; i--) {
    const batch = mutatedBatch(random, corpus);
    const isPlaced = batch.bytes.length >= FIELD.records && random.chance(0.8);
    if (isPlaced) {
      placeBatch(batch.bytes, offset);
      const ahead = random.chance(0.9) ? 0 : random.int(0, 2 ** 41);
      offset += Math.max(viewOf(batch.bytes).getInt32(FIELD.lastOffsetDelta), 0) + 1 + ahead;
    }
    parts.push(batch.bytes);
    how.push(batch.how);
  }
  return { bytes: joined(...parts), how: how.join(' | ') };
}

function mend(bytes: Bytes, random: Random, how: string[]): void {
  if (bytes.length < FIELD.records) return;
  const view = viewOf(bytes);
  if (random.chance(0.8)) view.setInt32(FIELD.batchLength, bytes.length - FIELD.leaderEpoch);
  if (random.chance(0.9)) view.setInt8(FIELD.magic, MAGIC);
  if (random.chance(0.5)) placeBatch(bytes, 0);
  const count = view.getInt32(FIELD.recordCount);
  if (random.chance(0.1)) view.setInt32(FIELD.lastOffsetDelta, count - 1);
  if (random.chance(0.2)) return;
  sealBatch(bytes);
  how.push('sealed');
}

/** The batch's records, inflated; `undefined` where they do not inflate. */
function recordsOf(bytes: Bytes): Uint8Array | undefined {
  if (bytes.length < FIELD.records) return undefined;
  const records = bytes.subarray(FIELD.records);
  const codec = codecName(bytes[FIELD.attributes + 1]! & ATTRIBUTE.codec);
  if (codec === undefined || codec === 'none') return records;
  try {
    if (codec === 'gzip') return gunzipRecords(records, MAX_INFLATED_BYTES);
    return inflate(CODEC[codec], records, MAX_INFLATED_BYTES);
  } catch (error) {
    if (error instanceof TablogError) return undefined;
    throw error;
  }
}

function packed(plain: Bytes, codec: Codec): Bytes {
  if (codec !== 'zstd') return compressBatch(plain, codec);
  const zstd = joined(plain.subarray(0, FIELD.records), storedZstd(plain.subarray(FIELD.records)));
  setCodec(zstd, CODEC.zstd);
  return zstd;
}

/** A Zstandard frame of one stored block, since tablog does not write the codec. */
function storedZstd(records: Uint8Array): Uint8Array {
  const size = Math.min(records.length, 128 * 1024 - 1);
  const header = size * 8 + 1; // the last block, stored
  return joined(
    Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x70, header, header >> 8, header >> 16),
    records.subarray(0, size),
  );
}

function setCodec(bytes: Bytes, codec: number): void {
  const low = FIELD.attributes + 1;
  if (bytes.length > low) bytes[low] = (bytes[low]! & ~ATTRIBUTE.codec) | codec;
}

function joined(...parts: readonly Uint8Array[]): Bytes {
  return concat(
    parts,
    parts.reduce((sum, { length }) => sum + length, 0),
  );
}
