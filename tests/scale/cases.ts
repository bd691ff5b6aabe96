import type { BrowserContext, Page } from 'playwright';
import { newTab } from '../support/browser.ts';

/** What a case is made of, once its first tab has the log open. */
export interface Made {
  /** The topic to which a record is sent, and from which it is read. */
  readonly topic: string;
  /** How many consumers get each record of that topic, besides the one that measures. */
  readonly audience: number;
}

export interface Case {
  readonly name: string;
  readonly few: number;
  readonly many: number;
  /** Makes `count` of what the case is about. */
  make(count: number, tab: Page, context: BrowserContext): Promise<Made>;
}

/** What the tabs of a case call each other by: an audience says that it has a record. */
export const HEARD = 'scale';

const ALONE: Made = { topic: 'orders', audience: 0 };

const CREATED_AT_ONCE = 50;
const RECORDS_A_BATCH = 10_000;
/** Batches in flight: enough that tab and worker both have work. */
const BATCHES_AT_ONCE = 4;

export function casesOf(sizes: Readonly<Record<string, number>>): Case[] {
  const few = 10;
  return [
    { name: 'topics', few, many: sizes['topics']!, make: makeTopics },
    { name: 'partitions in a topic', few, many: sizes['partitions']!, make: makePartitions },
    { name: 'groups', few, many: sizes['groups']!, make: makeGroups },
    { name: 'tabs', few, many: sizes['tabs']!, make: openTabs },
    { name: 'consumers in a tab', few, many: sizes['consumers']!, make: makeConsumers },
    { name: 'records in a partition', few, many: sizes['records']!, make: sendRecords },
  ];
}

async function makeTopics(count: number, tab: Page): Promise<Made> {
  await tab.evaluate(
    async ([count, atOnce]) => {
      const { admin } = window.api.mustGetLog();
      const names = Array.from({ length: count }, (_, i) => `topic-${i}`);
      for (let i = 0; i < count; i += atOnce) await admin.createTopics(names.slice(i, i + atOnce));
    },
    [count, CREATED_AT_ONCE] as const,
  );
  return ALONE;
}

async function makePartitions(count: number, tab: Page): Promise<Made> {
  await tab.evaluate(async (partitions) => {
    const { api } = window;
    const log = api.mustGetLog();
    await log.admin.createTopics([api.topic('wide', { partitions })]);
    const records = Array.from({ length: partitions * 2 }, (_, i) => ({
      key: `k${i}`,
      value: 'v',
    }));
    await log.producer().sendBatch('wide', records);
  }, count);
  return { topic: 'wide', audience: 0 };
}

async function makeGroups(count: number, tab: Page): Promise<Made> {
  await tab.evaluate(
    async ([count, atOnce]) => {
      const { admin } = window.api.mustGetLog();
      const offsets = [{ topic: 'orders', partition: 0, offset: 0 }];
      for (let i = 0; i < count; i += atOnce) {
        const groups = Array.from({ length: Math.min(atOnce, count - i) }, (_, k) => `g-${i + k}`);
        await Promise.all(groups.map((group) => admin.alterGroupOffsets(group, offsets)));
      }
    },
    [count, CREATED_AT_ONCE] as const,
  );
  return ALONE;
}

async function openTabs(count: number, tab: Page, context: BrowserContext): Promise<Made> {
  for (let i = 1; i < count; i++) {
    const other = await newTab(context, tab.url());
    await other.evaluate(async (heard) => {
      await window.api.open('scale', 'default');
      const channel = new BroadcastChannel(heard);
      const consumer = window.api.mustGetLog().consumer({ topics: ['orders'], from: 'latest' });
      await consumer.ready;
      void (async () => {
        for await (const { offset } of consumer) channel.postMessage(offset);
      })();
    }, HEARD);
  }
  return { topic: 'orders', audience: count - 1 };
}

async function makeConsumers(count: number, tab: Page): Promise<Made> {
  await tab.evaluate(
    async ([count, heard]) => {
      const log = window.api.mustGetLog();
      const channel = new BroadcastChannel(heard);
      const consumers = Array.from({ length: count - 1 }, () =>
        log.consumer({ topics: ['orders'], from: 'latest' }),
      );
      for (const consumer of consumers) {
        void (async () => {
          for await (const { offset } of consumer) channel.postMessage(offset);
        })();
      }
      await Promise.all(consumers.map(({ ready }) => ready));
    },
    [count, HEARD] as const,
  );
  return { topic: 'orders', audience: count - 1 };
}

async function sendRecords(count: number, tab: Page): Promise<Made> {
  await tab.evaluate(
    async ([count, size, atOnce]) => {
      const producer = window.api.mustGetLog().producer();
      const value = 'an order of some bytes, as an application has them'.repeat(2);
      const batch = Array.from({ length: Math.min(size, count) }, (_, i) => ({
        key: `k${i}`,
        value,
      }));
      for (let sent = 0; sent < count;) {
        const batches: Promise<unknown>[] = [];
        for (let i = 0; i < atOnce && sent < count; i++, sent += batch.length) {
          batches.push(producer.sendBatch('orders', batch.slice(0, count - sent)));
        }
        await Promise.all(batches);
      }
      await producer.close();
    },
    [count, RECORDS_A_BATCH, BATCHES_AT_ONCE] as const,
  );
  return ALONE;
}
