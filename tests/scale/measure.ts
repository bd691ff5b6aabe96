import type { BrowserContext, Page } from 'playwright';
import { newTab } from '../support/browser.ts';
import { HEARD } from './cases.ts';
import type { Case, Made } from './cases.ts';
import { Devtools } from './devtools.ts';
import type { Heap, Round } from './devtools.ts';

/** How long each step takes, as the median of several, in milliseconds. */
interface Times {
  /** Another `openLog` beside one that is open. */
  readonly open: number;
  /** One record, from `send` to its acknowledgement. */
  readonly send: number;
  /** A new consumer, from its making to the first record of the topic. */
  readonly read: number;
  /** One record, from `send` to the last of the consumers that wait for it. */
  readonly deliver: number;
}

/** One case with one count. */
export interface Row {
  readonly case: string;
  readonly count: number;
  readonly makeMs: number;
  /** The background work that making it left behind. */
  readonly idleMs: number;
  readonly ms: Times;
  readonly round: Round;
  /** The heaps before and after the case was made. */
  readonly heap: { readonly before: Heap; readonly after: Heap };
  /** Web Locks that the origin holds. */
  readonly locks: number;
}

/** Measures a case with `count`, in an origin of its own. */
export async function measureCase(
  each: Case,
  count: number,
  context: BrowserContext,
  url: string,
): Promise<Row> {
  const tab = await newTab(context, url);
  await tab.evaluate(async () => {
    await window.api.open('scale', 'default');
    await window.api.mustGetLog().admin.createTopics(['orders']);
    await window.api.mustGetLog().producer().send('orders', { value: 'first' });
  });
  const devtools = await Devtools.attach(tab);
  await devtools.noteTransactions();
  const before = await devtools.heap();
  const began = performance.now();
  const made = await each.make(count, tab, context);
  const makeMs = performance.now() - began;
  const idleMs = await devtools.idle();
  const after = await devtools.heap();
  const ms = await timesOf(tab, made);
  await devtools.noteTransactions();
  await tab.evaluate(async (topic) => {
    await window.api.mustGetLog().producer().send(topic, { value: 'the last' });
  }, made.topic);
  const round = await devtools.round();
  const locks = await tab.evaluate(async () => (await navigator.locks.query()).held!.length);
  await devtools.close();
  for (const page of context.pages().slice(1)) await page.close(); // the first is the browser's own
  return { case: each.name, count, makeMs, idleMs, ms, round, heap: { before, after }, locks };
}

function timesOf(tab: Page, { topic, audience }: Made): Promise<Times> {
  return tab.evaluate(
    async ([topic, audience, heard]) => {
      const { api } = window;
      const log = api.mustGetLog();
      const median = async (times: number, step: () => Promise<void>): Promise<number> => {
        const all: number[] = [];
        for (let i = 0; i < times; i++) {
          const began = performance.now();
          await step();
          all.push(performance.now() - began);
        }
        return all.sort((a, b) => a - b)[times >> 1]!;
      };
      const open = await median(5, async () => (await api.openLog('scale')).close());
      const producer = log.producer({ lingerMs: 0 });
      const record = { key: 'k', value: 'v' };
      const send = await median(20, async () => void (await producer.send(topic, record)));
      const read = await median(5, async () => {
        const consumer = log.consumer({ topics: [topic], from: 'earliest' });
        for await (const _ of consumer) break;
        await consumer.close();
      });

      const consumer = log.consumer({ topics: [topic], from: 'latest' });
      await consumer.ready;
      const messages = consumer[Symbol.asyncIterator]();
      const channel = new BroadcastChannel(heard);
      const got = new Map<number, number>();
      let onHeard = (): void => {};
      channel.onmessage = ({ data }: MessageEvent<number>) => {
        got.set(data, (got.get(data) ?? 0) + 1);
        onHeard();
      };
      const deliver = await median(10, async () => {
        const { offset } = await producer.send(topic, record);
        await messages.next();
        if (audience === 0) return;
        await new Promise<void>((resolve) => {
          onHeard = () => got.get(offset) === audience && resolve();
          onHeard();
        });
      });
      channel.close();
      await consumer.close();
      await producer.close();
      return { open, send, read, deliver };
    },
    [topic, audience, HEARD] as const,
  );
}
