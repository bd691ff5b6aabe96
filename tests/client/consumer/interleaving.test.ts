import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openLog, string, topic } from '../../../src/index.ts';
import type { Log, Message, Producer } from '../../../src/index.ts';
import { memoryHost } from '../../support/log-fixture.ts';
import { settle } from '../../support/waiting.ts';

const PARTITIONS = 3;
const events = topic('events', { key: string(), value: string(), partitions: PARTITIONS });

/** One thing that a tab does. */
type Step =
  | {
      readonly does: 'send';
      readonly tab: number;
      readonly partition: number;
      readonly count: number;
    }
  | { readonly does: 'read'; readonly count: number; readonly batches: boolean }
  | { readonly does: 'flush'; readonly tab: number }
  | { readonly does: 'wait' };

const tab = fc.integer({ min: 0, max: 1 });
const count = fc.integer({ min: 1, max: 12 });
const step = fc.oneof<fc.Arbitrary<Step>[]>(
  fc.record({
    does: fc.constant('send' as const),
    tab,
    partition: fc.integer({ min: 0, max: PARTITIONS - 1 }),
    count,
  }),
  fc.record({ does: fc.constant('read' as const), count, batches: fc.boolean() }),
  fc.record({ does: fc.constant('flush' as const), tab }),
  fc.constant({ does: 'wait' }),
);

const producerOptions = fc.record({
  batchBytes: fc.constantFrom(100, 1000, 100_000),
  bufferBytes: fc.constantFrom(1, 500, 100_000),
  compression: fc.constantFrom('none' as const, 'gzip' as const, 'lz4' as const, 'snappy' as const),
});
const consumerOptions = fc.record({
  prefetchBytes: fc.constantFrom(1, 1000, 1_000_000),
  maxPartitionBytes: fc.constantFrom(1, 300, 1_000_000),
});

test('every record is read once, in its order, however two tabs send and one reads', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 25 }),
      producerOptions,
      consumerOptions,
      async (steps, sending, reading) => {
        const host = memoryHost();
        const name = crypto.randomUUID();
        const logs: Log[] = [await openLog(name, { host }), await openLog(name, { host })];
        await logs[0]!.admin.createTopics([events]);
        const producers = logs.map((log) => log.producer(sending));
        const consumer = logs[1]!.consumer({
          topics: [events],
          from: 'earliest',
          maxWaitMs: 20,
          ...reading,
        });
        const read: Message<'events', string, string>[] = [];
        const sent: Promise<unknown>[] = [];
        let total = 0;

        /** Reads until `wanted` more are there, or everything that was sent. */
        const readSome = async (wanted: number, batches: boolean): Promise<void> => {
          const until = Math.min(read.length + wanted, total);
          if (read.length >= until) return;
          if (batches) {
            for await (const { messages } of consumer.batches({ max: wanted })) {
              if (read.push(...messages) >= until) return;
            }
          } else {
            for await (const message of consumer) {
              if (read.push(message) >= until) return;
            }
          }
        };

        for (const step of steps) {
          if (step.does === 'send') {
            sent.push(...sendSome(producers[step.tab]!, step, total));
            total += step.count;
          } else if (step.does === 'read') await readSome(step.count, step.batches);
          else if (step.does === 'flush') await producers[step.tab]!.flush();
          else await settle();
        }
        await Promise.all(sent);
        await readSome(total, false);
        await Promise.all(logs.map((log) => log.close()));

        expectEachOnce(read, total);
        expectInOrder(read);
      },
    ),
    { numRuns: 60 },
  );
});

/** The key tells who sends, the value which record it is of all. */
function sendSome(
  producer: Producer,
  { tab, partition, count }: Step & { does: 'send' },
  from: number,
): Promise<unknown>[] {
  return Array.from({ length: count }, (_, i) =>
    producer.send(events, { key: String(tab), value: String(from + i), partition }),
  );
}

function expectEachOnce(read: readonly Message<'events', string, string>[], total: number): void {
  const values = read.map(({ value }) => Number(value)).sort((a, b) => a - b);
  expect(values).toEqual(Array.from({ length: total }, (_, i) => i));
}

/** Within a partition: offsets without a gap, and what one tab sent in the order it sent it. */
function expectInOrder(read: readonly Message<'events', string, string>[]): void {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const here = read.filter((message) => message.partition === partition);
    expect(here.map(({ offset }) => offset)).toEqual(here.map((_, i) => i));
    for (const tab of ['0', '1']) {
      const values = here.filter(({ key }) => key === tab).map(({ value }) => Number(value));
      expect(values).toEqual(values.toSorted((a, b) => a - b));
    }
  }
}
