import { beforeAll, describe, expect, test } from 'vitest';
import { TablogError } from '../../../src/base/error.ts';
import { LogFileReader } from '../../../src/log/file/log-file-reader.ts';
import type { LogFileContents } from '../../../src/log/file/log-file-reader.ts';
import { FIELD } from '../../../src/record/batch-format.ts';
import { loadCodec } from '../../../src/record/compression/codecs.ts';
import { KAFKA_LOGS, batchesOf, kafkaSegments } from '../../support/kafka-logs.ts';

beforeAll(async () => {
  for (const codec of ['snappy', 'lz4', 'zstd'] as const) await loadCodec(codec);
});

function read(file: Uint8Array): LogFileContents | TablogError {
  const reader = new LogFileReader(file, [file.length]);
  try {
    for (const _ of reader.read()) continue;
    return reader.finish();
  } catch (error) {
    if (error instanceof TablogError && error.code === 'INVALID_LOG_FILE') return error;
    throw error;
  }
}

/** What is stored tiles its range, and is of the file but for gaps. */
function checkTiles({ batches, records }: LogFileContents): void {
  let next = batches[0]!.baseOffset;
  let count = 0;
  for (const batch of batches) {
    expect(batch.baseOffset).toBe(next);
    next = batch.nextOffset;
    if (!batch.isControl) count += batch.recordCount;
  }
  expect(count).toBe(records);
}

/** Those of a segment whose bytes the CRC does not cover. */
function isUnguarded(segment: Uint8Array, at: number): boolean {
  let start = 0;
  for (const { length } of batchesOf(segment)) {
    if (at < start + length) return at - start < FIELD.crc;
    start += length;
  }
  return true; // padding
}

describe.each(KAFKA_LOGS)('%s', (name) => {
  const [segment] = kafkaSegments(name) as [Uint8Array];
  test('is refused with any byte changed, or stored but for what follows', () => {
    // Every byte of small files, and of large ones some of each part.
    const step = Math.ceil(segment.length / 1500);
    const { records } = read(segment) as LogFileContents;
    for (let at = 0; at < segment.length; at += step) {
      for (const flip of [0x01, 0xff]) {
        const damaged = segment.slice();
        damaged[at]! ^= flip;
        const result = read(damaged);
        if (result instanceof TablogError) {
          // A base offset that is too large is found by the next batch.
          if (!isUnguarded(segment, at)) {
            expect(result.details['at']).toBeLessThanOrEqual(at);
          }
          expect(result.message).toMatch(/byte \d+: .*\. Nothing was imported: /);
        } else {
          checkTiles(result);
          expect(result.records).toBeLessThanOrEqual(records);
          if (!isUnguarded(segment, at)) expect(result.records).toBeLessThan(records);
        }
      }
    }
  });

  test('is stored up to its last whole batch wherever it is cut', () => {
    const batches = batchesOf(segment);
    for (let length = 0; length < segment.length; length++) {
      if (length > 1000 && length % 17 !== 0) continue;
      const result = read(segment.subarray(0, length));
      if (result instanceof TablogError) {
        const isStored = batches[0]!.length <= length;
        // Nothing is whole, or nothing of it is known to be committed.
        const isNothing = !isStored || result.message.includes('none is known to be committed');
        expect(isNothing, `${length}: ${result.message}`).toBe(true);
        continue;
      }
      checkTiles(result);
      let left = length;
      for (const batch of batches) {
        if (batch.length > left) break;
        left -= batch.length;
      }
      const { truncatedBytes = 0, paddingBytes = 0 } = result.leftOut ?? {};
      expect(truncatedBytes + paddingBytes).toBe(left);
    }
  });
});
