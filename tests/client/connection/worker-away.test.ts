import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { OUTCOME_UNKNOWN, STORAGE_TIMEOUT, WORKER_FAILED } from '../../../src/base/error-rules.ts';
import { TablogError, string, table, topic } from '../../../src/index.ts';
import type { Log } from '../../../src/index.ts';
import type { InlineHost } from '../../../src/inline.ts';
import type { Broker, Method } from '../../../src/protocol/broker.ts';
import { countOf, memoryHost, openTab } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { loadParts } from '../../support/load-parts.ts';
import { eventually, settle, timed } from '../../support/waiting.ts';
import { openTabWith } from '../../support/world.ts';

beforeAll(loadParts);

/** A host whose worker may be away: what is called then fails as a dial does. */
class Away implements InlineHost {
  isAway = false;
  /** What the error says: of some faults, that they stay, which they do not in a page that had a worker. */
  isRetriable = true;
  /** The worker dies of the next batch, and is away from then on. */
  dies = false;
  /** What fetches that are answered from now on fail with. */
  fault: TablogError | undefined;
  /** What was called in vain. */
  readonly called: Method[] = [];
  readonly #host: InlineHost;

  constructor(host: InlineHost) {
    this.#host = host;
  }

  open(log: string): { broker: Broker; close(): void } {
    const opened = this.#host.open(log);
    const broker = new Proxy(opened.broker, {
      get:
        (broker, method: Method) =>
        async (request: never): Promise<unknown> => {
          if (this.dies && method === 'produce' && !this.isAway) {
            this.isAway = true;
            throw new TablogError(OUTCOME_UNKNOWN, 'the worker died');
          }
          if (!this.isAway) {
            const answer = await broker[method](request);
            if (this.fault === undefined || method !== 'fetch') return answer;
            this.called.push(method);
            throw this.fault;
          }
          this.called.push(method);
          const details = { reason: 'notLoaded' };
          const rule = { ...WORKER_FAILED, retriable: this.isRetriable };
          throw new TablogError(rule, 'its file could not be loaded', { details });
        },
    });
    return { broker, close: () => opened.close() };
  }
}

const t = topic('t', { value: string() });

let clock: ManualClock;
let host: Away;
let log: Log;
/** The same log in a tab whose worker is there. */
let other: Log;
beforeEach(async () => {
  const memory = memoryHost();
  clock = new ManualClock();
  host = new Away(memory);
  const name = crypto.randomUUID();
  other = await openTab(memory, name);
  await other.admin.createTopics([t, 'u']);
  log = openTabWith(clock, host, name);
  await log.producer().send(t, { value: 'warm' });
  await settle();
});

/** Time goes by until the promise settles; for how long that took. */
async function passing(promise: Promise<unknown>, maxMs = 300_000): Promise<number> {
  return (await timed(clock, Promise.allSettled([promise]), { turns: 20, maxMs })).ms;
}

/** The worker is away for so long. */
async function away(ms: number): Promise<void> {
  host.isAway = true;
  for (let passed = 0; passed < ms; passed += 100) {
    await settle(20);
    clock.advance(100);
  }
  host.isAway = false;
}

describe('while the worker cannot be started', () => {
  test('an idempotent producer goes on, and stores once when it can', async () => {
    const producer = log.producer();
    const sent = Promise.all(['a', 'b', 'c'].map((value) => producer.send(t, { value })));
    await away(60_000);
    await passing(sent, 2_000);
    expect(await countOf(other, t)).toBe(4);
    // Not every 100 ms: each time costs a fetch and a worker.
    expect(host.called.length).toBeLessThan(100);
    expect(host.called.length).toBeGreaterThan(40);
  });

  test('it gives up after deliveryTimeoutMs, and says that nothing was stored', async () => {
    const producer = log.producer({ deliveryTimeoutMs: 5_000 });
    host.isAway = true;
    const sent = producer.send(t, { value: 'a' });
    sent.catch(() => {});
    const ms = await passing(sent);
    await expect(sent).rejects.toMatchObject({ code: 'WORKER_FAILED', retriable: true });
    expect(ms).toBeGreaterThanOrEqual(5_000);
    expect(ms).toBeLessThanOrEqual(5_200);
  });

  test('it says so where an answer was lost before', async () => {
    const producer = log.producer({ deliveryTimeoutMs: 5_000 });
    host.dies = true;
    const sent = producer.send(t, { value: 'a' });
    sent.catch(() => {});
    await passing(sent);
    await expect(sent).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      cause: { code: 'WORKER_FAILED' },
    });
  });

  test('one that is not idempotent says so at once', async () => {
    host.isAway = true;
    const sent = log.producer({ idempotent: false }).send(t, { value: 'a' });
    await expect(sent).rejects.toMatchObject({ code: 'WORKER_FAILED' });
  });

  test('a topic that this tab has not seen is asked for when it can be', async () => {
    await other.admin.createTopics(['new']);
    host.isAway = true;
    const sent = log.producer().send('new', { value: 'a' });
    await away(10_000);
    await passing(sent, 2_000);
    expect(await countOf(other, 'new')).toBe(1);
  });

  test.each([undefined, 'mover'])('a transaction goes on (transactionalId %s)', async (id) => {
    const producer = log.producer(id === undefined ? {} : { transactionalId: id });
    host.isAway = true;
    const done = producer.transaction((tx) => tx.send(t, { value: 'a' }));
    await away(10_000);
    await passing(done, 2_000);
    expect(await countOf(other, t)).toBe(2);
  });

  test.each([undefined, 'group'])('a loop reads on (group %s)', async (group) => {
    const options = group === undefined ? {} : { group };
    const consumer = log.consumer({ topics: [t], from: 'earliest', maxWaitMs: 20, ...options });
    await consumer.ready;
    const read: string[] = [];
    const reading = (async () => {
      for await (const { value } of consumer) {
        read.push(value!);
        if (read.length === 3) break;
      }
    })();
    host.isAway = true;
    await eventually(() => expect(host.called).toContain('fetch'));
    await away(5_000);
    await other.producer().sendBatch(t, [{ value: 'a' }, { value: 'b' }]);
    clock.advance(1_200); // the longest back-off
    await reading;
    expect(read).toEqual(['warm', 'a', 'b']);
  });

  test.each([undefined, 'group'])(
    'a dead letter is stored when it can be (group %s)',
    async (group) => {
      await other.admin.createTopics(['dead']);
      const options = group === undefined ? {} : { group };
      const consumer = log.consumer({ topics: [t], from: 'earliest', maxWaitMs: 20, ...options });
      const handled: string[] = [];
      const running = consumer.run({
        eachMessage: ({ value }) => {
          handled.push(value!);
          if (value !== 'warm') return consumer.close();
          host.isAway = true;
          throw new Error('it is bad');
        },
        onError: 'deadLetter',
        deadLetterTopic: 'dead',
      });
      running.catch(() => {});
      await eventually(() => expect(handled).toEqual(['warm']));
      await away(10_000);
      await other.producer().send(t, { value: 'next' });
      await passing(running);
      await running;
      expect(handled).toEqual(['warm', 'next']);
      expect(await countOf(other, 'dead')).toBe(1);
    },
  );

  test('a member stays one, also where the fault is of those that stay', async () => {
    const asMember = { group: 'g', sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 200 };
    const consumer = log.consumer({ topics: [t], from: 'latest', maxWaitMs: 20, ...asMember });
    await consumer.ready;
    const next = consumer[Symbol.asyncIterator]().next();
    next.catch(() => {});
    host.isRetriable = false;
    host.isAway = true;
    await eventually(() => expect(host.called).toContain('syncGroup'));
    await away(2_000);
    await other.producer().send(t, { value: 'a' });
    await passing(next, 5_000);
    expect((await next).value).toMatchObject({ value: 'a' });
  });

  test('a table goes on after a failure of the storage, however long it lasts', async () => {
    const latest = table(log, t, { onError: () => {} });
    await latest.ready;
    await settle();
    clock.sleep(600_000); // the tab was frozen: no timer ran, and no poll was answered
    host.fault = new TablogError(STORAGE_TIMEOUT, 'the database did not answer in time');
    await other.producer().send(t, { key: 'k', value: 'a' });
    await eventually(() => expect(host.called.length).toBeGreaterThan(0));
    const pass = async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 100) {
        clock.advance(100);
        await settle();
      }
    };
    await pass(60_000);
    host.fault = undefined;
    await pass(1_300);
    expect([latest.error, latest.size]).toEqual([undefined, 1]);
    const before = host.called.length;
    host.fault = new TablogError(STORAGE_TIMEOUT, 'the database did not answer in time');
    await other.producer().send(t, { key: 'k', value: 'b' });
    await eventually(() => expect(host.called.length).toBeGreaterThan(before));
    await pass(123_000);
    expect(host.called.length - before).toBeLessThan(180); // not every 100 ms
    host.fault = undefined;
    await pass(1_300);
    expect([latest.error, latest.get('k')]).toEqual([undefined, 'b']);
  });

  test('what is processed is committed when it can be', async () => {
    await other.producer().sendBatch(t, [{ value: 'a' }, { value: 'b' }]);
    const consumer = log.consumer({ group: 'g', topics: [t], from: 'earliest' });
    await consumer.ready;
    const messages = consumer[Symbol.asyncIterator]();
    await messages.next();
    await messages.next();
    await settle();
    host.isAway = true;
    await messages.next();
    await away(10_000);
    await passing(
      (async () => {
        for (;;) {
          const [committed] = await other.admin.listGroupOffsets('g');
          if (committed?.offset === 2) return;
          await settle();
        }
      })(),
    );
  });
});
