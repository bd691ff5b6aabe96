import { describe, expect, test } from 'vitest';
import { RecordBatch, readBatches, readSingleBatch } from '../../src/record/batch-reader.ts';
import { crcMatches } from '../../src/record/batch-seal.ts';
import { hexOf, readBatch, readRecords } from '../support/batches.ts';
import { codeOf, errorOf } from './errors.ts';
import { readFixture, readJson } from './fixture-files.ts';

interface Expected {
  readonly bytes: number;
  readonly valid: boolean;
  readonly records?: readonly {
    readonly key: string | null;
    readonly value: string | null;
    readonly headers?: readonly (readonly [string, string | null])[];
  }[];
  readonly offsets?: readonly string[];
  readonly nextOffset?: string;
  readonly timestamps?: readonly string[];
}

const { files } = readJson('recordbatch/expected.json') as {
  readonly files: Readonly<Record<string, Expected>>;
};
const names = Object.keys(files);

function batchFile(name: string): Uint8Array {
  return readFixture(`recordbatch/${name}`);
}

function controlRecord(name: string): { type: number; coordinatorEpoch: number } {
  const [record] = readRecords(batchFile(name));
  const key = Buffer.from(record!.key!, 'hex');
  const value = Buffer.from(record!.value!, 'hex');
  return { type: key.readInt16BE(2), coordinatorEpoch: value.readInt32BE(2) };
}

describe('the batch files', () => {
  test('are found, whole', () => {
    expect(names.length).toBeGreaterThanOrEqual(26);
    for (const name of names) expect(batchFile(name).length, name).toBe(files[name]!.bytes);
  });

  test.each(names.filter((name) => files[name]!.valid && name !== 'big_offsets.bin'))(
    '%s reads as expected',
    (name) => {
      const { records, offsets, nextOffset, timestamps } = files[name]!;
      const [batch] = [...readBatches(batchFile(name))];
      const read = readRecords(batchFile(name));
      expect(crcMatches(batch!.bytes)).toBe(true);
      if (records !== undefined) {
        const plain = records.map(({ key, value, headers = [] }) => ({
          key: hexOf(key),
          value: hexOf(value),
          headers: headers.map(([header, text]) => [header, hexOf(text)]),
        }));
        expect(read.map(({ key, value, headers }) => ({ key, value, headers }))).toEqual(plain);
      }
      if (offsets) expect(read.map(({ offset }) => `${offset}`)).toEqual(offsets);
      if (nextOffset) expect(`${batch!.nextOffset}`).toBe(nextOffset);
      if (timestamps) expect(read.map(({ timestamp }) => `${timestamp}`)).toEqual(timestamps);
      expect(batch!.recordCount).toBe(read.length);
    },
  );

  test.each(names.filter((name) => !files[name]!.valid))('%s is refused', (name) => {
    const bytes = batchFile(name);
    const read = (): unknown => {
      const batch = readSingleBatch(bytes);
      return crcMatches(bytes) ? readBatch(batch.bytes) : 'CRC';
    };
    if (name === 'bad_crc.bin') expect(read()).toBe('CRC');
    else if (name === 'unknown_codec_7.bin') expect(codeOf(read)).toBe('UNSUPPORTED_CODEC');
    else expect(codeOf(read)).toBe('BATCH_CORRUPT');
  });

  test('an offset that a number would round is refused by its exact value', () => {
    const error = errorOf(() => readRecords(batchFile('big_offsets.bin')));
    expect(error.code).toBe('BATCH_CORRUPT');
    expect(error.message).toContain('9007199254740993');
  });

  test.each([
    ['control_commit.bin', 1],
    ['control_abort.bin', 0],
  ])('%s is a transactional control batch', (name, type) => {
    const batch = new RecordBatch(batchFile(name));
    expect(batch).toMatchObject({ isControl: true, isTransactional: true, isAppendTime: false });
    expect(controlRecord(name)).toEqual({ type, coordinatorEpoch: 7 });
  });

  test('append time is a flag, and other files have none', () => {
    expect(new RecordBatch(batchFile('log_append_time.bin')).isAppendTime).toBe(true);
    expect(new RecordBatch(batchFile('tombstone.bin'))).toMatchObject({
      isAppendTime: false,
      isControl: false,
      isTransactional: false,
    });
  });

  test('a truncated tail is left, and the whole batch before it is read', () => {
    const bytes = batchFile('truncated_tail.bin');
    const batches = [...readBatches(bytes)];
    expect(batches).toHaveLength(1);
    expect(batches[0]!.bytes.length).toBeLessThan(bytes.length);
    expect(readRecords(bytes)).toHaveLength(batches[0]!.recordCount);
  });

  test('a batch as KafkaJS stamps it has no producer', () => {
    const batch = new RecordBatch(batchFile('idempotent_kafkajs_style.bin'));
    expect(batch).toMatchObject({ producerId: -1, producerEpoch: 0, baseSequence: 0 });
    expect(readRecords(batch.bytes)).toHaveLength(1);
  });
});
