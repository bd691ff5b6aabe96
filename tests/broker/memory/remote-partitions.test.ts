import { expect, test } from 'vitest';
import { RemotePartitions } from '../../../src/broker/memory/remote-partitions.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** What a call has to be answered within. */
const ANSWER_MS = 2_000;
const ENDED = { code: 'OUTCOME_UNKNOWN' };

/** A broker that says what a test has it say. */
class Other {
  readonly clock = new ManualClock();
  /** The calls that came, by name, with what they ask. */
  readonly calls: [method: string, request: unknown][] = [];
  closed = 0;
  readonly partitions: RemotePartitions;
  readonly #listeners: ((event: MessageEvent) => void)[] = [];

  constructor() {
    const endpoint = {
      postMessage: (message: unknown) => {
        const { path, argumentList } = message as {
          path: string[];
          argumentList: { value: unknown }[];
        };
        this.calls.push([path[0]!, argumentList[0]!.value]);
      },
      addEventListener: (_: string, listener: unknown) => {
        this.#listeners.push(listener as (event: MessageEvent) => void);
      },
    };
    const peer = { endpoint, close: () => void this.closed++ };
    this.partitions = new RemotePartitions(peer, this.clock);
  }

  say(data: unknown): void {
    for (const listener of this.#listeners) listener(new MessageEvent('message', { data }));
  }

  limits(waitMs: number, signal = new AbortController().signal) {
    return { expires: this.clock.now() + waitMs, maxBytes: Infinity, signal };
  }
}

test('a call of a connection that has ended rejects at once', async () => {
  const other = new Other();
  other.partitions.close();
  await expect(other.partitions.fetch([], other.limits(3_600_000))).rejects.toMatchObject(ENDED);
  await expect(other.partitions.offset('t', 0, 'latest')).rejects.toMatchObject(ENDED);
  expect(other.calls).toEqual([]);
  expect(other.clock.timers).toBe(0);
});

test('a call that is under way when the other broker ends the connection rejects', async () => {
  const other = new Other();
  const asked = other.partitions.offset('t', 0, 'latest');
  other.say('end');
  other.say('end');
  await expect(asked).rejects.toMatchObject(ENDED);
  expect(other.partitions.gone.aborted).toBe(true);
  expect(other.closed).toBe(1);
  expect(other.clock.timers).toBe(0);
});

test('a broker that is silent for too long is gone, and each append is told so', async () => {
  const other = new Other();
  const append = { topicId: 't', partition: 0, batch: new ArrayBuffer(0) };
  const sent = other.partitions.append(
    [0, 1].map((partition) => ({ ...append, partition, compression: 'none' as const })),
    'relaxed',
  );
  other.clock.advance(ANSWER_MS - 1);
  await Promise.resolve();
  expect(other.partitions.gone.aborted).toBe(false);
  other.clock.advance(1_000);
  await expect(sent).resolves.toMatchObject([ENDED, ENDED]);
  expect(other.closed).toBe(1);
});

test('a fetch may take as long as it waits for news, and the answer time on top', async () => {
  const other = new Other();
  const fetching = other.partitions.fetch([], other.limits(30_000));
  other.clock.advance(30_000 + ANSWER_MS - 1);
  await Promise.resolve();
  expect(other.partitions.gone.aborted).toBe(false);
  expect(other.calls[0]).toMatchObject(['fetch', { maxWaitMs: 30_000 }]);
  other.clock.advance(1_000);
  await expect(fetching).rejects.toMatchObject(ENDED);
});

test('a fetch that is called off is called off at the other broker too', () => {
  const other = new Other();
  const calling = new AbortController();
  other.partitions.fetch([], other.limits(1_000, calling.signal)).catch(() => {});
  calling.abort();
  const [[, asked], cancelled] = other.calls as [[string, object], [string, object]];
  const { clientId, fetchId } = asked as { clientId: string; fetchId: number };
  expect(cancelled).toEqual(['cancelFetch', { clientId, fetchId }]);
  other.partitions.close();
});
