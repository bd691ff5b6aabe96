import { expect, it } from 'vitest';
import type { Page } from 'playwright';
import { newTab } from '../support/browser.ts';
import { injectFault } from '../support/worker-faults.ts';
import { useBrowser, usePage } from './fixture.ts';
import { lengthOf } from '../support/seeds.ts';

const KILLS = lengthOf(30, 100);
const RECORDS = KILLS * 1_000;
const PARTITIONS = 4;
/** What a tab sends at once, some of it while the worker is killed. */
const WAVE = RECORDS / KILLS / 2;

const page = usePage();
const browser = useBrowser();

it(
  `of ${RECORDS} records from two tabs, ${KILLS} killed workers lose, repeat and reorder none`,
  { timeout: 300_000 },
  async () => {
    const tabs = [];
    for (const name of ['a', 'b']) {
      const tab = await newTab(browser.context, page.server.url);
      await tab.evaluate(openProducer, [name, PARTITIONS] as const);
      tabs.push(tab);
    }
    for (let kills = 0; kills < KILLS; kills++) {
      const kill = tabs[0]!.evaluate(injectFault, 'close' as const);
      await Promise.all([...tabs.map((tab) => send(tab)), kill]);
    }
    const resent = await Promise.all(tabs.map((tab) => tab.evaluate(() => document.title)));
    const [reader] = tabs;
    const found = await reader!.evaluate(readAll, RECORDS);
    expect(found.count).toBe(RECORDS);
    expect(found.wrong).toEqual([]);
    expect(resent).toEqual(['0 failed', '0 failed']);
  },
);

function send(tab: Page): Promise<void> {
  return tab.evaluate(sendWave, [WAVE, PARTITIONS] as const);
}

async function openProducer([name, partitions]: readonly [string, number]): Promise<void> {
  const { topic, string } = window.api;
  await window.api.open('shop', 'default');
  const log = window.api.mustGetLog();
  await log.admin.createTopics([topic('events', { value: string(), partitions })]);
  Object.assign(window, { sender: { name, producer: log.producer(), next: 0, failed: 0 } });
}

/** What `openProducer` leaves in the page. */
interface Sender {
  readonly name: string;
  readonly producer: ReturnType<ReturnType<typeof window.api.mustGetLog>['producer']>;
  next: number;
  failed: number;
}

async function sendWave([count, partitions]: readonly [number, number]): Promise<void> {
  const { sender } = window as unknown as { sender: Sender };
  const chunk = count / 5;
  for (let sent = 0; sent < count; sent += chunk) {
    const sends = Array.from({ length: chunk }, () => {
      const partition = sender.next % partitions;
      const value = `${sender.name}/${sender.next++}`;
      return sender.producer.send('events', { value, partition });
    });
    const settled = await Promise.allSettled(sends);
    sender.failed += settled.filter(({ status }) => status === 'rejected').length;
  }
  document.title = `${sender.failed} failed`;
}

/** Reads everything; what is not the next of its sender in its partition is wrong. */
async function readAll(records: number): Promise<{ count: number; wrong: string[] }> {
  const { topic, string } = window.api;
  const events = topic('events', { value: string() });
  const ends = await window.api.mustGetLog().admin.listOffsets([{ topic: events, at: 'latest' }]);
  let left = ends.reduce((sum, { offset }) => sum + offset, 0);
  const count = left;
  const last = new Map<string, number>();
  const wrong: string[] = [];
  if (count !== records) wrong.push(`there are ${count} records`);
  const consumer = window.api.mustGetLog().consumer({ topics: [events], from: 'earliest' });
  for await (const { partition, value } of consumer) {
    const [name, number] = value!.split('/') as [string, string];
    const key = `${name} in ${partition}`;
    const expected = (last.get(key) ?? partition - ends.length) + ends.length;
    if (Number(number) !== expected) wrong.push(`${value} where ${expected} was to come`);
    last.set(key, Number(number));
    if (--left === 0) break;
  }
  await consumer.close();
  return { count, wrong: wrong.slice(0, 5) };
}
