import { describe, expect, test, vi } from 'vitest';
import { STORAGE_UNAVAILABLE, UNKNOWN_TOPIC } from '../../../src/base/error-rules.ts';
import { TablogError, table, topic } from '../../../src/index.ts';
import type { Consumer, ConsumerOptions, DecodeContext, Log, Serde } from '../../../src/index.ts';
import { committed, joined, reading } from '../../support/group-fixture.ts';
import { loadParts } from '../../support/load-parts.ts';
import { countOf, memoryHost, openTab, readAll, take } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { StubRegistry, needing } from '../../support/stub-registry.ts';
import { eventually, settle } from '../../support/waiting.ts';
import { openTabWith } from '../../support/world.ts';

const letters = topic('letters');

/** A log with these values in partitions of the topic 't': a list a partition. */
async function logOf(...partitions: string[][]): Promise<{ log: Log; clock: ManualClock }> {
  await loadParts();
  const host = memoryHost();
  const writer = await openTab(host);
  await writer.admin.createTopics([topic('t', { partitions: partitions.length }), letters]);
  const records = partitions.flatMap((values, partition) =>
    values.map((value) => ({ value, partition, key: value })),
  );
  await writer.producer().sendBatch('t', records);
  const clock = new ManualClock();
  return { log: openTabWith(clock, host, writer.name), clock };
}

/** A topic whose values need the registry. */
function typed(registry: StubRegistry): ReturnType<typeof topic<'t', Uint8Array, string>> {
  return topic('t', { value: needing(registry) });
}

/** What a consumer reads in the background. */
function readingOf(
  log: Log,
  registry: StubRegistry,
  options: Partial<ConsumerOptions> = {},
): { consumer: Consumer; seen: unknown[]; ended: Promise<void> } {
  const consumer = log.consumer({ topics: [typed(registry)], from: 'earliest', ...options });
  const seen: unknown[] = [];
  const loop = async (): Promise<void> => {
    for await (const { value } of consumer) seen.push(value);
  };
  const ended = loop();
  ended.catch(() => {});
  return { consumer, seen, ended };
}

describe('a serde that waits', () => {
  test('keeps the order of its partition, and the other partitions go on', async () => {
    const { log } = await logOf(['a:0', 'b:1', 'a:2'], ['a:3', 'a:4']);
    const registry = new StubRegistry('a');
    const { consumer, seen } = readingOf(log, registry);
    await eventually(() => seen.length === 3 && registry.asked.length === 1);
    await settle();
    expect(new Set(seen)).toEqual(new Set(['a:0', 'a:3', 'a:4']));
    expect(consumer.position({ topic: 't', partition: 0 })).toBe(1);
    registry.publish('b');
    await eventually(() => seen.length === 5);
    expect(seen.slice(3)).toEqual(['b:1', 'a:2']);
    expect(registry.asked).toEqual(['b']);
  });

  test('waits in eachBatch and batches(), which have what is before it', async () => {
    const { log } = await logOf(['a:0', 'b:1', 'a:2']);
    const registry = new StubRegistry('a');
    const t = typed(registry);
    const runs: unknown[] = [];
    void log.consumer({ topics: [t], from: 'earliest' }).run({
      eachBatch: ({ messages }) => void runs.push(messages.map(({ value }) => value)),
    });
    const batches: unknown[] = [];
    const loop = async (): Promise<void> => {
      const consumer = log.consumer({ topics: [t], from: 'earliest' });
      for await (const { messages } of consumer.batches()) {
        batches.push(messages.map(({ value }) => value));
      }
    };
    void loop();
    await eventually(() => runs.length === 1 && batches.length === 1);
    await settle();
    expect([runs, batches]).toEqual([[['a:0']], [['a:0']]]);
    registry.publish('b');
    await eventually(() => runs.length === 2 && batches.length === 2);
    expect([runs[1], batches[1]]).toEqual([
      ['b:1', 'a:2'],
      ['b:1', 'a:2'],
    ]);
  });

  test.each([1, 4])('waits in run() with a concurrency of %d', async (concurrency) => {
    const { log } = await logOf(['a:0', 'b:1', 'a:2'], ['a:3', 'a:4']);
    const registry = new StubRegistry('a');
    const seen: unknown[] = [];
    const consumer = log.consumer({ topics: [typed(registry)], from: 'earliest', group: 'g' });
    void consumer.run({ eachMessage: ({ value }) => void seen.push(value), concurrency });
    await eventually(() => seen.length === 3 && registry.asked.length === 1);
    await eventually(async () => (await committed(log))['t/1'] === 2);
    expect((await committed(log))['t/0']).toBe(1);
    registry.publish('b');
    await eventually(async () => (await committed(log))['t/0'] === 3);
    expect(seen.slice(3)).toEqual(['b:1', 'a:2']);
  });

  test('waits in table(), for its key and for its value', async () => {
    const { log } = await logOf(['a:0', 'b:1', 'c:2']);
    const values = new StubRegistry('a', 'c');
    const keys = new StubRegistry('a', 'b');
    const t = topic('t', { key: needing(keys), value: needing(values) });
    const view = table(log, t);
    await eventually(() => values.asked.length === 1);
    values.publish('b');
    await eventually(() => keys.asked.length === 1);
    keys.publish('c');
    await view.ready;
    expect(new Map(view)).toEqual(new Map(['a:0', 'b:1', 'c:2'].map((text) => [text, text])));
    expect(view.get('b:1')).toBe('b:1');
    expect(() => view.get('d:0')).toThrow(/the key serde of 't' waits/);
  });

  test("a table's key that can be decoded and not encoded yet keeps its place", async () => {
    const { log } = await logOf(['a:0', 'b:1']);
    const registry = new StubRegistry();
    const text = needing(new StubRegistry('a', 'b'));
    const key: Serde<string> = {
      ...needing(registry),
      decode: (bytes, context) => text.decode(bytes, context),
    };
    const view = table(log, topic('t', { key, value: text }));
    await eventually(() => registry.asked.length === 1);
    await settle();
    expect(view.size).toBe(0);
    registry.publish('a');
    await eventually(() => registry.asked.length === 2);
    registry.publish('b');
    await view.ready;
    expect([...view.keys()]).toEqual(['a:0', 'b:1']);
  });

  test('may catch what waitFor throws, or return nevertheless: it is called again all the same', async () => {
    const { log } = await logOf(['a:0', 'b:1']);
    const registry = new StubRegistry();
    const inner = needing(registry);
    const careless: Serde<string> = {
      encode: String,
      decode(bytes, context) {
        try {
          return inner.decode(bytes, context);
        } catch (cause) {
          if (registry.asked.length > 1) return 'a fallback';
          throw new TypeError('wrapped', { cause });
        }
      },
    };
    const consumer = log.consumer({ topics: [topic('t', { value: careless })], from: 'earliest' });
    const read = take(consumer, 2);
    await eventually(() => registry.asked.length === 1);
    registry.publish('a');
    await eventually(() => registry.asked.length === 2);
    registry.publish('b');
    expect((await read).map(({ value }) => value)).toEqual(['a:0', 'b:1']);
  });

  test('that waits for ever for one record fails it, instead of the tab', async () => {
    const { log } = await logOf(['a:0', 'b:1']);
    let calls = 0;
    const endless: Serde<string> = {
      encode: String,
      decode(bytes, context) {
        const text = new TextDecoder().decode(bytes);
        if (text !== 'a:0') return text;
        calls++;
        return context.waitFor(Promise.resolve());
      },
    };
    const t = topic('t', { value: endless });
    const told: string[] = [];
    const consumer = log.consumer({
      topics: [t],
      from: 'earliest',
      onDecodeError(error) {
        told.push(error.message);
        return 'skip';
      },
    });
    expect((await take(consumer, 1))[0]!.value).toBe('b:1');
    expect(told).toEqual([expect.stringMatching(/SERDE: the value.*offset 0.*called waitFor\(\)/)]);
    expect(calls).toBe(100);
  });

  test('that gives no promise is told so', async () => {
    const { log } = await logOf(['a:0']);
    const decode = (_: Uint8Array, context: DecodeContext): never => context.waitFor(5 as never);
    const t = topic('t', { value: { encode: String, decode } });
    await expect(readAll(log, t)).rejects.toThrow(/waitFor\(\) takes a promise, got 5/);
  });
});

describe('while a serde waits', () => {
  test('close() ends the loop', async () => {
    const { log } = await logOf(['a:0']);
    const registry = new StubRegistry();
    const { consumer, ended } = readingOf(log, registry, { group: 'g' });
    await eventually(() => registry.asked.length === 1);
    await consumer.close();
    await ended;
    registry.publish('a');
  });

  test('a seek goes elsewhere, and the answer changes nothing any more', async () => {
    const { log } = await logOf(['a:0', 'b:1', 'c:2', 'c:3']);
    const registry = new StubRegistry('a', 'c');
    const { consumer, seen } = readingOf(log, registry);
    await eventually(() => registry.asked.length === 1);
    await consumer.seek(3, { topic: typed(registry), partition: 0 });
    await eventually(() => seen.length === 2);
    expect(seen).toEqual(['a:0', 'c:3']);
    registry.fail('b', new Error('too late'));
    await settle();
    await consumer.seek(1, { topic: typed(registry), partition: 0 });
    await eventually(() => registry.asked.length === 2);
    registry.publish('b');
    await eventually(() => seen.length === 5);
    expect(seen.slice(2)).toEqual(['b:1', 'c:2', 'c:3']);
  });

  test('a pause is kept when the answer comes', async () => {
    const { log } = await logOf(['a:0']);
    const registry = new StubRegistry();
    const { consumer, seen } = readingOf(log, registry);
    await eventually(() => registry.asked.length === 1);
    consumer.pause();
    registry.publish('a');
    await settle();
    expect(seen).toEqual([]);
    consumer.resume();
    await eventually(() => seen.length === 1);
  });

  test('its partition moves to another member at once, which waits for itself', async () => {
    await loadParts();
    const host = memoryHost();
    const first = await openTab(host);
    const second = await openTab(host, first.name);
    await first.admin.createTopics([topic('t', { partitions: 2 })]);
    const records = [0, 1].map((partition) => ({ value: 'a:0', partition }));
    await first.producer().sendBatch('t', records);
    const registry = new StubRegistry();
    const a = await reading(first, { topics: [typed(registry)] });
    await eventually(() => registry.asked.length === 2);
    const b = await joined(second, { topics: [typed(registry)] });
    await eventually(() => expect([a.owns.length, b.owns.length]).toEqual([1, 1]));
    b.loop().catch(() => {});
    await eventually(() => registry.asked.length === 3);
    registry.publish('a');
    await eventually(() => expect([a.read.length, b.read.length]).toEqual([1, 1]));
    expect([...a.read, ...b.read].toSorted()).toEqual(['t/0@0', 't/1@0']);
  });

  test('a loop that is left and entered again waits on, and looks nothing up twice', async () => {
    const { log } = await logOf(['a:0', 'b:1']);
    const registry = new StubRegistry('a');
    const consumer = log.consumer({ topics: [typed(registry)], from: 'earliest' });
    const iterator = consumer[Symbol.asyncIterator]();
    await iterator.next();
    const pending = iterator.next();
    await eventually(() => registry.asked.length === 1);
    await iterator.return!();
    const again = take(consumer, 1);
    await settle();
    registry.publish('b');
    expect((await again)[0]!.value).toBe('b:1');
    expect(await pending).toMatchObject({ done: true });
    expect(registry.asked).toEqual(['b']);
  });

  test('its buffer does not keep other partitions from being fetched', async () => {
    const long = 'x'.repeat(1000);
    const { log } = await logOf(
      [`b:${long}`, `b:${long}`, `b:${long}`],
      Array.from({ length: 20 }, (_, i) => `a:${i}${long}`),
    );
    const registry = new StubRegistry('a');
    const { seen } = readingOf(log, registry, { prefetchBytes: 1, maxPartitionBytes: 1 });
    await eventually(() => seen.length === 20);
    expect(registry.asked).toEqual(['b']);
  });
});

describe('a promise that rejects', () => {
  test('is asked for again with back-off, as long as it takes, and nothing is skipped', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const { log, clock } = await logOf(['a:0', 'b:1', 'a:2']);
    const registry = new StubRegistry('a');
    const burying = { onDecodeError: 'deadLetter', deadLetterTopic: letters } as const;
    const { seen } = readingOf(log, registry, { ...burying, group: 'g' });
    const errors = [
      new TypeError('Failed to fetch'),
      'a text',
      undefined,
      new TablogError(STORAGE_UNAVAILABLE, 'no worker'),
      Object.assign(new Error('503'), { retriable: true }),
      new DOMException('too slow', 'TimeoutError'),
    ];
    for (const [i, error] of errors.entries()) {
      await eventually(() => registry.asked.length === i + 1);
      registry.fail('b', error);
      await settle();
      expect(registry.asked).toHaveLength(i + 1); // nothing before the back-off is over
      clock.advance(1_200);
    }
    await eventually(() => registry.asked.length === errors.length + 1);
    registry.publish('b');
    await eventually(() => seen.length === 3);
    expect(seen).toEqual(['a:0', 'b:1', 'a:2']);
    expect(await countOf(log, letters)).toBe(0);
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/partition 0 of 't' waits at offset 1.*value serde.*failed 3 times/)],
    ]);
    warn.mockRestore();
  });

  test('leaves no timer when its consumer closes', async () => {
    const { log, clock } = await logOf(['b:0']);
    const registry = new StubRegistry();
    const { consumer, ended } = readingOf(log, registry);
    await eventually(() => registry.asked.length === 1);
    await settle();
    const before = clock.timers;
    registry.fail('b', new TypeError('Failed to fetch'));
    await settle();
    expect(clock.timers).toBe(before + 1);
    await consumer.close();
    await ended;
    await settle();
    expect(clock.timers).toBeLessThanOrEqual(before);
  });

  test.each<[string, unknown]>([
    [
      'an error that is not retriable',
      Object.assign(new Error('no schema b'), { retriable: false }),
    ],
    ['a TablogError that does not pass', new TablogError(UNKNOWN_TOPIC, 'no _schemas')],
  ])('with %s is SERDE, and goes the way of onDecodeError', async (_, thrown) => {
    const { log } = await logOf(['a:0', 'b:1', 'a:2']);
    const registry = new StubRegistry('a');
    const stopped = readingOf(log, registry);
    await eventually(() => registry.asked.length === 1);
    registry.fail('b', thrown);
    await expect(stopped.ended).rejects.toMatchObject({
      code: 'SERDE',
      cause: thrown,
      details: { topic: 't', partition: 0, offset: 1, field: 'value' },
    });
    expect(stopped.consumer.position({ topic: 't', partition: 0 })).toBe(1);

    const burying = { onDecodeError: 'deadLetter', deadLetterTopic: letters } as const;
    const { seen } = readingOf(log, registry, burying);
    await eventually(() => registry.asked.length === 2);
    registry.fail('b', thrown);
    await eventually(() => seen.length === 2);
    expect(seen).toEqual(['a:0', 'a:2']);
    expect(await countOf(log, letters)).toBe(1);
  });

  test('looks up anew each time that the record is read: a schema that is there later is found', async () => {
    const { log } = await logOf(['b:0']);
    const registry = new StubRegistry();
    const { consumer, ended } = readingOf(log, registry);
    await eventually(() => registry.asked.length === 1);
    registry.fail('b', Object.assign(new Error('no schema b'), { retriable: false }));
    await expect(ended).rejects.toMatchObject({ code: 'SERDE' });
    const read = take(consumer, 1);
    await eventually(() => registry.asked.length === 2);
    registry.publish('b');
    expect(await read).toHaveLength(1);
  });

  test('ends batches() after the batch before it', async () => {
    const { log } = await logOf(['a:0', 'b:1']);
    const registry = new StubRegistry('a');
    const consumer = log.consumer({ topics: [typed(registry)], from: 'earliest' });
    const batches = consumer.batches({ maxWaitMs: 1000 });
    const first = batches.next();
    const failing = async (asked: number): Promise<void> => {
      await eventually(() => registry.asked.length === asked);
      registry.fail('b', Object.assign(new Error('no schema b'), { retriable: false }));
    };
    await failing(1);
    expect((await first).value).toMatchObject({ firstOffset: 0, lastOffset: 0 });
    const second = batches.next();
    await failing(2);
    await expect(second).rejects.toMatchObject({ code: 'SERDE', details: { offset: 1 } });
  });

  test('in a table: skipped or the end, as onDecodeError says', async () => {
    const { log } = await logOf(['a:0', 'b:1', 'a:2']);
    const registry = new StubRegistry('a');
    const t = topic('t', { key: needing(new StubRegistry('a', 'b')), value: needing(registry) });
    const failing = async (asked: number): Promise<void> => {
      await eventually(() => registry.asked.length === asked);
      registry.fail('b', Object.assign(new Error('no schema b'), { retriable: false }));
    };
    const skipping = table(log, t, { onDecodeError: 'skip' });
    await failing(1);
    await skipping.ready;
    expect([...skipping.keys()]).toEqual(['a:0', 'a:2']);
    const stopped = table(log, t, { onError: () => {} });
    await failing(2);
    await expect(stopped.ready).rejects.toMatchObject({ code: 'SERDE' });
  });
});

describe('the context of decode', () => {
  test('has the topic, the field and the headers', async () => {
    const log = await openTab();
    const seen: unknown[] = [];
    const telling: Serde<string> = {
      encode: String,
      decode(bytes, { topic: name, field, headers }) {
        const shown = headers.map(([header, value]) => [header, value?.length]);
        seen.push([name, field, shown]);
        return new TextDecoder().decode(bytes);
      },
    };
    const t = topic('t', { key: telling, value: telling });
    await log.admin.createTopics([t]);
    await log.producer().sendBatch('t', [
      { key: 'k', value: 'v', headers: { a: 'xyz', b: null } },
      { key: null, value: 'v' },
    ]);
    const messages = await readAll(log, t);
    expect(seen).toEqual([
      [
        't',
        'key',
        [
          ['a', 3],
          ['b', undefined],
        ],
      ],
      [
        't',
        'value',
        [
          ['a', 3],
          ['b', undefined],
        ],
      ],
      ['t', 'value', []],
    ]);
    expect(messages.map(({ value }) => value)).toEqual(['v', 'v']);
  });
});
