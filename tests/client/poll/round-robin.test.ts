import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PartitionReader } from '../../../src/client/fetch/partition-reader.ts';
import { asTopic } from '../../../src/client/topics/topic.ts';
import { RoundRobin } from '../../../src/client/poll/round-robin.ts';
import { batch } from '../../support/broker-fixture.ts';

/** A reader of partition `partition` with `count` messages at hand. */
function readerOf(partition: number, count: number): PartitionReader {
  const reader = new PartitionReader({ topic: asTopic('t'), topicId: 'id', partition });
  if (count === 0) return reader;
  const segments = [batch(...Array.from({ length: count }, (_, i) => String(i)))];
  const place = { topicId: 'id', partition, offset: 0, endOffset: count, nextOffset: count };
  reader.accept({ ...place, segments, compressed: false });
  return reader;
}

function readersOf(...counts: readonly number[]): PartitionReader[] {
  return counts.map((count, partition) => readerOf(partition, count));
}

/** Everything at hand, as `partition/offset`. */
function pollAll(roundRobin: RoundRobin): string[] {
  const polled: string[] = [];
  for (let next = roundRobin.poll(); next !== undefined; next = roundRobin.poll()) {
    polled.push(`${next.reader.partition}/${next.message.offset}`);
  }
  return polled;
}

describe('partitions take turns', () => {
  test('of one message each', () => {
    expect(pollAll(new RoundRobin(readersOf(2, 3, 1), 1))).toEqual([
      '0/0',
      '1/0',
      '2/0',
      '0/1',
      '1/1',
      '1/2',
    ]);
  });

  test('of several', () => {
    expect(pollAll(new RoundRobin(readersOf(3, 3), 2))).toEqual([
      '0/0',
      '0/1',
      '1/0',
      '1/1',
      '0/2',
      '1/2',
    ]);
  });

  test('and those that have nothing are passed over', () => {
    expect(pollAll(new RoundRobin(readersOf(0, 0, 2), 5))).toEqual(['2/0', '2/1']);
    expect(pollAll(new RoundRobin(readersOf(0, 0), 5))).toEqual([]);
    expect(pollAll(new RoundRobin([], 5))).toEqual([]);
  });

  test('paused, resetting and refused ones too', () => {
    const readers = readersOf(1, 1, 1, 1);
    readers[0]!.setPaused(true);
    readers[1]!.state.enter('resetting');
    const roundRobin = new RoundRobin(readers, 5);
    const accepts = (reader: PartitionReader): boolean => reader.partition !== 2;
    expect(roundRobin.poll(accepts)!.reader.partition).toBe(3);
    expect(roundRobin.poll(accepts)).toBeUndefined();
    readers[0]!.setPaused(false);
    expect(pollAll(roundRobin)).toEqual(['0/0', '2/0']);
  });

  test('isTurnOver says whether the next message is of another partition', () => {
    const roundRobin = new RoundRobin(readersOf(3, 3), 2);
    roundRobin.poll();
    expect(roundRobin.isTurnOver).toBe(false);
    roundRobin.poll();
    expect(roundRobin.isTurnOver).toBe(true);
    expect(roundRobin.poll()!.reader.partition).toBe(1);
  });

  test('one that throws is passed over at the next look', () => {
    const readers = readersOf(0, 1);
    const place = { topicId: 'id', partition: 0, offset: 0 };
    const error = {
      code: 'LOG_CORRUPT' as const,
      outcome: 'refused' as const,
      retriable: false,
      next: 'Seek past it.',
      happened: 'lost',
      details: {},
    };
    readers[0]!.accept({ ...place, error });
    const roundRobin = new RoundRobin(readers, 1);
    expect(() => roundRobin.poll()).toThrow('LOG_CORRUPT');
    expect(roundRobin.poll()!.reader.partition).toBe(1);
    expect(() => roundRobin.poll()).toThrow('LOG_CORRUPT');
  });
});

test('partitions that come and go lose and repeat nothing', () => {
  const change = fc.record({
    kind: fc.constantFrom('take', 'take', 'take', 'add', 'remove'),
    at: fc.nat({ max: 5 }),
    count: fc.nat({ max: 6 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(change), (length, changes) => {
      const readers: PartitionReader[] = [];
      const gone: PartitionReader[] = [];
      const ends = new Map<PartitionReader, number>();
      const seen = new Map<PartitionReader, number>();
      const roundRobin = new RoundRobin(readers, length);
      const take = (): boolean => {
        const next = roundRobin.poll();
        if (next === undefined) return false;
        expect(gone).not.toContain(next.reader);
        expect(next.message.offset).toBe(seen.get(next.reader) ?? 0);
        seen.set(next.reader, next.message.offset + 1);
        return true;
      };
      for (const { kind, at, count } of changes) {
        if (kind === 'take') take();
        else if (kind === 'remove') gone.push(...readers.splice(at, 1));
        else {
          const reader = readerOf(ends.size, count);
          ends.set(reader, count);
          readers.push(reader);
        }
      }
      while (take());
      for (const reader of readers) expect(seen.get(reader) ?? 0).toBe(ends.get(reader));
    }),
  );
});
