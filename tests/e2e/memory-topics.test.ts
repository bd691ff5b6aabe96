import { describe, expect, it } from 'vitest';
import { HOSTS, until, useTabs } from './group-tabs.ts';
import type { Tab, Tabs } from './group-tabs.ts';
import { PARTITIONS } from './page/memory-topics.ts';
import type { ReadOptions, Reading, Sending, Sent } from './page/memory-topics.ts';

/** Each worker's records begin at the next one of these. */
const RANGE = 1_000_000_000;

/** Of those who call: 2 s until one that hangs is given up, and 5 s to find nobody in its place. */
const TAKEOVER_MS = 10_000;

/** A reader of the topic in a tab. */
class Reader {
  readonly tab: Tab;
  readonly #name = `reader ${Math.random()}`;

  private constructor(tab: Tab) {
    this.tab = tab;
  }

  static async open(tab: Tab, options: ReadOptions): Promise<Reader> {
    const reader = new Reader(tab);
    await tab.page.evaluate(
      ([name, options]) => window.api.memoryTopics.read(window.api.mustGetLog(), name, options),
      [reader.#name, options] as const,
    );
    return reader;
  }

  /** What it has read by now. */
  async reading(): Promise<Reading> {
    const reading = await this.tab.page.evaluate(
      (name) => window.api.memoryTopics.readingOf(name),
      this.#name,
    );
    expect(reading.error).toBeUndefined();
    return reading;
  }

  /** Waits until it has read so many records of the `range`th worker; all that it has read. */
  until(count: number, range = 0): Promise<Sent[]> {
    return until(async () => {
      const { read } = await this.reading();
      expect(ofRange(read, range).length).toBeGreaterThanOrEqual(count);
      return read;
    });
  }
}

/** What was sent to, or read from, the `range`th worker that had the records. */
function ofRange(all: readonly Sent[], range: number): Sent[] {
  return all.filter(({ offset }) => Math.floor(offset / RANGE) === range);
}

function valuesOf(all: readonly Sent[], partition: number): string[] {
  return all.filter((one) => one.partition === partition).map(({ value }) => value);
}

function placesOf(all: readonly Sent[]): string[] {
  return all.map(({ partition, offset }) => `${partition}@${offset}`);
}

/** Each partition was read in the order of its offsets, none of which came twice. */
function expectOrder(read: readonly Sent[]): void {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const offsets = read.filter((one) => one.partition === partition).map(({ offset }) => offset);
    expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
  }
}

/** What was sent to the `range`th worker was read, all of it, once, and in order. */
function expectAll(read: readonly Sent[], sent: readonly Sent[], range: number): void {
  expectOrder(read);
  const [got, wanted] = [ofRange(read, range), ofRange(sent, range)];
  expect(wanted.length).toBeGreaterThan(0);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const known = new Set(valuesOf(wanted, partition));
    // One whose outcome its sender did not learn may be there.
    const values = valuesOf(got, partition).filter((value) => known.has(value));
    expect(values).toEqual(valuesOf(wanted, partition));
  }
}

async function createTopic({ keeper }: Tabs): Promise<void> {
  await keeper.page.evaluate(() => window.api.memoryTopics.createTopic(window.api.mustGetLog()));
}

function send(tab: Tab, count: number): Promise<Sent[]> {
  return tab.page.evaluate(
    ([name, count]) => window.api.memoryTopics.send(window.api.mustGetLog(), name, count),
    [tab.member, count] as const,
  );
}

/** Sends, one record after the other, until `stopSending`. */
async function startSending(tab: Tab): Promise<void> {
  await tab.page.evaluate(
    (name) => window.api.memoryTopics.startSending(window.api.mustGetLog(), name),
    tab.member,
  );
}

/** All that was sent; every send has settled. */
async function stopSending(tab: Tab): Promise<Sending> {
  const sending = await tab.page.evaluate(() => window.api.memoryTopics.stopSending());
  expect(sending.sent.length + sending.codes.length).toBe(sending.begun);
  return sending;
}

/** What a send may fail with, as nobody knows whether the worker that is gone had it. */
function expectUnknown(codes: readonly string[]): void {
  expect(codes.filter((code) => code !== 'OUTCOME_UNKNOWN')).toEqual([]);
}

/** Waits until so many records were sent to the `range`th worker. */
function untilSent(tab: Tab, count: number, range: number): Promise<void> {
  return until(async () => {
    const { sent } = await tab.page.evaluate(() => window.api.memoryTopics.sent());
    expect(ofRange(sent, range).length).toBeGreaterThanOrEqual(count);
  });
}

/** How long it took, from `began` on, until somebody else had the records and they were read. */
function takeoverMs(began: number, sent: readonly Sent[], read: readonly Sent[]): number {
  return Math.max(...[sent, read].map((all) => ofRange(all, 1)[0]!.at - began));
}

/** What readers are told who were left behind by the worker before. */
async function expectResets(reader: Reader): Promise<void> {
  const { resets } = await reader.reading();
  expect(resets.length).toBeGreaterThan(0);
  for (const { topic, outOfRange, startOffset, offset } of resets) {
    expect(topic).toBe('chat');
    expect(outOfRange).toBeLessThan(startOffset);
    expect(offset).toBe(startOffset);
    expect(offset % RANGE).toBe(0);
  }
}

/** Who reads in a tab: one that reads everything, and a member of a group. */
async function readersIn(tab: Tab): Promise<Reader[]> {
  return [
    await Reader.open(tab, { from: 'latest' }),
    await Reader.open(tab, { from: 'latest', group: `of-${tab.member}` }),
  ];
}

describe.each(HOSTS)('tabs with $name', ({ deleteSharedWorker }) => {
  const used = useTabs(deleteSharedWorker);

  it('exchange messages in order, none lost, none twice, and none on disk', async () => {
    const { tabs } = used;
    await createTopic(tabs);
    const senders = [await tabs.open('a'), await tabs.open('b')];
    const readers = [await tabs.open('c'), await tabs.open('d')];
    const everything = await Reader.open(readers[0]!, { from: 'earliest' });
    const members: Reader[] = [];
    for (const tab of readers) {
      members.push(await Reader.open(tab, { from: 'earliest', group: 'billing' }));
    }
    const sent = (await Promise.all(senders.map((tab) => send(tab, 2_000)))).flat();
    expect(new Set(placesOf(sent)).size).toBe(4_000);
    const read = await everything.until(4_000);
    expect(placesOf(read).toSorted()).toEqual(placesOf(sent).toSorted());
    expectOrder(read);
    for (const { member } of senders) {
      const own = (all: readonly Sent[]): Sent[] =>
        all.filter(({ value }) => value.startsWith(`${member} `));
      expectAll(own(read), own(sent), 0);
    }
    const shares = await until(async () => {
      const all = [];
      for (const member of members) all.push((await member.reading()).read);
      expect(all.flat().length).toBeGreaterThanOrEqual(4_000);
      return all;
    });
    for (const share of shares) expectOrder(share);
    expect(placesOf(shares.flat()).toSorted()).toEqual(placesOf(sent).toSorted());
    const rows = await tabs.keeper.page.evaluate(() => window.api.memoryTopics.countRows());
    expect(Object.keys(rows).filter((store) => store.startsWith('partition-'))).toEqual([]);
    expect(rows['topics']).toBe(1);
  });

  it('have the time of the append, whoever sends and whoever has the records', async () => {
    const { tabs } = used;
    const senders = [await tabs.open('a'), await tabs.open('b')];
    const began = Date.now();
    for (const { page } of senders) {
      const { offset, timestamp } = await page.evaluate(async () => {
        const log = window.api.mustGetLog();
        const stamped = window.api.topic('stamped', { storage: 'memory', timestampType: 'append' });
        await log.admin.createTopics([stamped]);
        return log.producer().send(stamped, { value: new Uint8Array(1), timestamp: 5 });
      });
      expect(offset).toBe(senders.findIndex((sender) => sender.page === page));
      expect(timestamp).toBeGreaterThanOrEqual(began);
    }
  });
});

const ENDS = [
  ['is closed', false, (_: Tabs, tab: Tab) => tab.close()],
  ['crashes', false, (_: Tabs, tab: Tab) => tab.crash()],
  ['is reloaded', false, (_: Tabs, tab: Tab) => tab.reload()],
  ['is terminated', true, (tabs: Tabs) => tabs.killSharedWorker()],
] as const;

describe.each(ENDS)('when the worker with the records %s', (_, isShared, end) => {
  const used = useTabs(!isShared);

  it('the others go on at once, with the next offsets', async () => {
    const { tabs } = used;
    const [owner, sender, reading] = [
      await tabs.open('owner'),
      await tabs.open('sender'),
      await tabs.open('reading'),
    ];
    await createTopic(tabs);
    await send(owner, 100);
    const readers = await readersIn(reading);
    await startSending(sender);
    for (const reader of readers) await reader.until(20);
    const began = Date.now();
    await end(tabs, owner);
    await untilSent(sender, 50, 1);
    const { sent, codes } = await stopSending(sender);
    expectUnknown(codes);
    expect(new Set(placesOf(sent)).size).toBe(sent.length);
    expect(ofRange(sent, 2)).toEqual([]); // one of them took over, and once
    for (const reader of readers) {
      const read = await reader.until(ofRange(sent, 1).length, 1);
      expectAll(read, sent, 1);
      expectOrder(read);
      await expectResets(reader);
      const ms = takeoverMs(began, sent, read);
      expect(ms).toBeLessThan(TAKEOVER_MS);
    }
  });
});

describe('when one worker after the other goes', () => {
  const used = useTabs(true);

  it('no offset comes twice', async () => {
    const { tabs } = used;
    await createTopic(tabs);
    const owners = [];
    for (const name of ['a', 'b', 'c', 'd']) owners.push(await tabs.open(name));
    const reading = await tabs.open('reading');
    for (const owner of owners) await send(owner, 10); // each has the records when the one before goes
    const readers = await readersIn(reading);
    const sent: Sent[] = [];
    for (const [range, owner] of owners.entries()) {
      sent.push(...(await send(owner, 100)));
      for (const reader of readers) await reader.until(1, range);
      await owner.close();
    }
    expect(new Set(placesOf(sent)).size).toBe(400);
    for (const reader of readers) expectOrder((await reader.reading()).read);
  });
});

describe('when the tab whose worker has the records hangs', () => {
  const used = useTabs(true);

  it('the others take over within 10 s, and it goes on with theirs when it wakes up', async () => {
    const { tabs } = used;
    const [owner, sender, reading] = [
      await tabs.open('owner'),
      await tabs.open('sender'),
      await tabs.open('reading'),
    ];
    await createTopic(tabs);
    await send(owner, 100);
    const readers = [...(await readersIn(reading)), ...(await readersIn(owner))];
    await startSending(sender);
    for (const reader of readers) await reader.until(20);
    await tabs.findProcesses();
    const began = Date.now();
    await owner.suspend();
    await untilSent(sender, 50, 1);
    for (const reader of readers.slice(0, 2)) {
      const read = await reader.until(50, 1);
      const { sent } = await sender.page.evaluate(() => window.api.memoryTopics.sent());
      const ms = takeoverMs(began, sent, read);
      expect(ms).toBeLessThan(TAKEOVER_MS + 2_000); // the process stopped some time after `began`
    }
    owner.resume();
    for (const reader of readers.slice(2)) await reader.until(1, 1);
    const own = await send(owner, 100);
    expect(ofRange(own, 1)).toHaveLength(100);
    const { sent, codes } = await stopSending(sender);
    expectUnknown(codes);
    expect(ofRange(sent, 2)).toEqual([]);
    const all = [...sent, ...own];
    expect(new Set(placesOf(all)).size).toBe(all.length);
    for (const reader of readers) {
      const read = await reader.until(ofRange(all, 1).length, 1);
      for (const part of [sent, own]) expectAll(read, part, 1);
      await expectResets(reader);
    }
  });
});

describe('when it hangs and several send', () => {
  const used = useTabs(true);

  it('one of them takes over, and nothing that was sent to it is lost', async () => {
    const { tabs } = used;
    const owner = await tabs.open('owner');
    await createTopic(tabs);
    await send(owner, 100);
    const senders = [await tabs.open('a'), await tabs.open('b'), await tabs.open('c')];
    const reader = await Reader.open(tabs.keeper, { from: 'latest' });
    for (const sender of senders) await startSending(sender);
    await reader.until(50);
    await owner.suspend();
    for (const sender of senders) await untilSent(sender, 50, 1);
    const all: Sent[] = [];
    for (const sender of senders) {
      const { sent, codes } = await stopSending(sender);
      expectUnknown(codes);
      all.push(...sent);
    }
    expect(ofRange(all, 2)).toEqual([]);
    expect(new Set(placesOf(all)).size).toBe(all.length);
    const read = await reader.until(ofRange(all, 1).length, 1);
    for (const { member } of senders) {
      const own = all.filter(({ value }) => value.startsWith(`${member} `));
      expectAll(read, own, 1);
    }
  });
});

describe('when the shared worker hangs', () => {
  const used = useTabs(false);

  it('the tabs go on with another one, and every call settles', async () => {
    const { tabs } = used;
    const [sender, reading] = [await tabs.open('sender'), await tabs.open('reading')];
    await createTopic(tabs);
    const readers = await readersIn(reading);
    await startSending(sender);
    for (const reader of readers) await reader.until(20);
    await stopSending(sender);
    // Amid a transaction it would hold up all others for a minute.
    await until(async () => {
      const [{ partitions }] = await tabs.keeper.page.evaluate(() =>
        window.api.mustGetLog().admin.describeGroups(['of-reading']),
      );
      expect(partitions.map(({ lag }) => lag)).toEqual([0, 0]);
    });
    await tabs.hangSharedWorker();
    await startSending(sender);
    await untilSent(sender, 50, 1);
    const { sent } = await stopSending(sender);
    for (const reader of readers) {
      expectAll(await reader.until(ofRange(sent, 1).length, 1), sent, 1);
      await expectResets(reader);
    }
  });
});

describe('a shared and a dedicated worker', () => {
  const used = useTabs(false);

  async function openWith(name: string, host: 'shared' | 'dedicated' | 'inline'): Promise<Tab> {
    const tab = await used.tabs.open(name);
    await tab.page.evaluate(async (kind) => {
      await window.api.mustGetLog().close();
      await window.api.open('shop', kind);
    }, host);
    return tab;
  }

  it.each([
    ['shared', 'dedicated'],
    ['dedicated', 'shared'],
  ] as const)(
    'have one log: the %s one has the records, and the %s one after it',
    async (first, next) => {
      const { tabs } = used;
      await createTopic(tabs);
      const [owner, other] = [await openWith('owner', first), await openWith('other', next)];
      const sent = await send(owner, 500);
      const readers = [
        await Reader.open(owner, { from: 'earliest' }),
        await Reader.open(other, { from: 'earliest' }),
      ];
      sent.push(...(await send(other, 500)));
      for (const reader of readers) {
        const read = await reader.until(1_000);
        expect(placesOf(read).toSorted()).toEqual(placesOf(sent).toSorted());
        expectOrder(read);
      }
      if (first === 'shared') await tabs.killSharedWorker();
      else await owner.close();
      const later = await send(other, 500);
      expect(ofRange(later, 1)).toHaveLength(500);
      for (const reader of first === 'shared' ? readers : readers.slice(1)) {
        expectAll(await reader.until(500, 1), later, 1);
      }
    },
  );

  it('hear of no end when a broker that had the records closes', async () => {
    const { tabs } = used;
    await createTopic(tabs);
    const other = await openWith('other', 'dedicated');
    for (let turn = 0; turn < 5; turn++) {
      const owner = await openWith('owner', 'inline');
      await send(owner, 10);
      const asking = other.page.evaluate(() =>
        window.api.memoryTopics.ask(window.api.mustGetLog()),
      );
      const asked = 'window.api.memoryTopics.answers() > 20';
      await other.page.waitForFunction(asked);
      await owner.page.evaluate(() => window.api.mustGetLog().close());
      await send(other, 10);
      await other.page.evaluate(() => window.api.memoryTopics.stopAsking());
      expect(await asking).toEqual([]);
      await other.page.evaluate(async () => {
        await window.api.mustGetLog().close();
        await window.api.open('shop', 'dedicated');
      });
      await owner.close();
    }
  });
});
