import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newProfile, newTab } from '../support/browser.ts';
import type { Profile } from '../support/browser.ts';
import { webhookEvents } from '../support/webhook-events.ts';
import { usePage } from './fixture.ts';

const PARTITIONS = 4;

const page = usePage();

const HOSTS = [
  { name: 'a SharedWorker', kind: 'default', deleteSharedWorker: false },
  { name: 'a dedicated worker a tab', kind: 'default', deleteSharedWorker: true },
  { name: 'inline', kind: 'inline', deleteSharedWorker: false },
] as const;

describe.each(HOSTS)('two tabs with $name', ({ kind, deleteSharedWorker }) => {
  let profile: Profile;
  let a: Page;
  let b: Page;

  const open = async (): Promise<void> => {
    const context = await profile.start();
    if (deleteSharedWorker) {
      await context.addInitScript('delete globalThis.SharedWorker');
    }
    a = await newTab(context, page.server.url);
    b = await newTab(context, page.server.url);
    for (const tab of [a, b]) await tab.evaluate((host) => window.api.open('shop', host), kind);
  };

  beforeAll(async () => {
    profile = await newProfile();
    await open();
  });

  afterAll(() => profile.remove());

  it('A produces every webhook event, B reads each: equal, and in order within its partition', async () => {
    const events = webhookEvents();
    const placed = await a.evaluate(
      async ({ sent, partitions }) => {
        const { topic, string } = window.api;
        const log = window.api.mustGetLog();
        const github = topic('github', { key: string(), value: string(), partitions });
        await log.admin.createTopics([github]);
        const producer = log.producer();
        return Promise.all(sent.map((event) => producer.send(github, event)));
      },
      { sent: events, partitions: PARTITIONS },
    );
    const read = await b.evaluate((count) => {
      const { topic, string } = window.api;
      return window.api.readAll(topic('github', { key: string(), value: string() }), count);
    }, events.length);

    expect(read).toHaveLength(events.length);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const sent = events
        .map((event, i) => ({ ...event, ...placed[i]! }))
        .filter((event) => event.partition === partition)
        .map(({ offset, key, value }) => ({ partition, offset, key, value }));
      expect(sent.map((event) => event.offset)).toEqual(sent.map((_, i) => i));
      expect(read.filter((message) => message.partition === partition)).toEqual(sent);
    }
    expect(new Set(placed.map(({ partition }) => partition)).size).toBe(PARTITIONS);
  });

  it('both produce at once: offsets stay contiguous, and each tab’s own order is kept', async () => {
    const count = 1000;
    const produce = async (from: string): Promise<void> => {
      const tab = from === 'a' ? a : b;
      await tab.evaluate(
        async ([name, records, partitions]) => {
          const { topic, string } = window.api;
          const log = window.api.mustGetLog();
          const both = topic('both', { key: string(), value: string(), partitions });
          await log.admin.createTopics([both]);
          const producer = log.producer();
          const sends = [];
          for (let i = 0; i < records; i++) {
            sends.push(producer.send(both, { value: `${name}${i}`, partition: i % partitions }));
            // Many transactions, so that those of the two tabs meet.
            if (i % 10 === 9) await sends.at(-1);
          }
          await Promise.all(sends);
        },
        [from, count, PARTITIONS] as const,
      );
    };
    await Promise.all([produce('a'), produce('b')]);

    const read = await a.evaluate((total) => {
      const { topic, string } = window.api;
      return window.api.readAll(topic('both', { key: string(), value: string() }), total);
    }, count * 2);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const mine = read.filter((message) => message.partition === partition);
      expect(mine.map((message) => message.offset)).toEqual(mine.map((_, i) => i));
      for (const from of ['a', 'b']) {
        const values = mine.map((message) => String(message.value)).filter((v) => v[0] === from);
        const sent = Array.from({ length: count }, (_, i) => i).filter(
          (i) => i % PARTITIONS === partition,
        );
        expect(values).toEqual(sent.map((i) => `${from}${i}`));
      }
    }
  });

  it('a record sent in one tab wakes the reader that waits in the other', async () => {
    const waiting = b.evaluate(async () => {
      const { topic, string } = window.api;
      const log = window.api.mustGetLog();
      const calls = topic('calls', { value: string() });
      await log.admin.createTopics([calls]);
      const consumer = log.consumer({ topics: [calls], from: 'latest', maxWaitMs: 60_000 });
      await consumer.ready;
      document.title = 'ready';
      for await (const message of consumer) return message.value;
      return undefined;
    });
    await b.waitForFunction('document.title === "ready"');
    await a.evaluate(async () => {
      const { topic, string } = window.api;
      await window.api
        .mustGetLog()
        .producer()
        .send(topic('calls', { value: string() }), { value: 'ring' });
    });
    expect(await waiting).toBe('ring');
  });

  it('what a tab sends after it made a consumer, that consumer reads, at once and each time', async () => {
    const read = await a.evaluate(async (kind) => {
      const { topic, string } = window.api;
      const log = window.api.mustGetLog();
      const values: (string | null)[] = [];
      for (let i = 0; i < 12; i++) {
        const fresh = topic(`fresh-${kind}-${i % 4}`, { value: string(), partitions: 1 + (i % 4) });
        await log.admin.createTopics([fresh]);
        const producer = log.producer();
        if (i % 2 === 0) await producer.send(fresh, { value: 'old' });
        const group = i % 3 === 0 ? { group: `fresh-${i}` } : {};
        const consumer = log.consumer({ topics: [fresh], maxWaitMs: 60_000, ...group });
        if (i % 4 === 3) void consumer.seek('latest');
        const sent = producer.send(fresh, { value: `new ${i}` });
        for await (const { value } of consumer) {
          values.push(value);
          break;
        }
        await sent;
        await consumer.close();
      }
      return values;
    }, kind);
    expect(read).toEqual(Array.from({ length: 12 }, (_, i) => `new ${i}`));
  });

  it('after the browser restarts on the same profile, everything is still there', async () => {
    const events = webhookEvents();
    await profile.quit();
    await open();
    const read = await b.evaluate((count) => {
      const { topic, string } = window.api;
      return window.api.readAll(topic('github', { key: string(), value: string() }), count);
    }, events.length);
    const values = (all: readonly { value: unknown }[]): string[] =>
      all.map((e) => String(e.value)).sort();
    expect(values(read)).toEqual(values(events));
    const [both] = await a.evaluate(() => window.api.mustGetLog().admin.describeTopics(['both']));
    expect(both.partitions.map(({ endOffset }) => endOffset)).toEqual([500, 500, 500, 500]);
  });
});
