import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { logDeleted } from '../../../src/base/error.ts';
import { WitnessWriter } from '../../../src/client/connection/witness-writer.ts';
import { readWitness, removeWitness } from '../../../src/platform/witness-storage.ts';
import type { OpenedLog } from '../../../src/protocol/broker.ts';
import { parseWitness } from '../../../src/protocol/log-witness.ts';
import type { TopicInfo } from '../../../src/protocol/topic.ts';
import { batch } from '../../support/broker-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { settle } from '../../support/waiting.ts';

/** A localStorage, whose writes are counted. */
class FakeStorage {
  readonly items = new Map<string, string>();
  writes = 0;

  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }

  setItem(key: string, text: string): void {
    this.writes++;
    this.items.set(key, text);
  }

  removeItem(key: string): void {
    this.items.delete(key);
  }
}

let storage: FakeStorage;
let clock: ManualClock;
beforeEach(() => {
  storage = new FakeStorage();
  clock = new ManualClock();
  vi.stubGlobal('localStorage', storage);
});
afterEach(() => vi.unstubAllGlobals());

function openedLog(changes: Partial<OpenedLog> = {}, ids: readonly string[] = ['t']): OpenedLog {
  const topics = ids.map((id) => ({ id, name: `topic ${id}` }) as TopicInfo);
  const none = { lost: [], previousLogId: undefined, setAside: undefined };
  return { logId: 'log', topics, topicsVersion: ids.length, ...none, ...changes };
}

interface Tab {
  readonly writer: WitnessWriter;
  /** What the next `openLog` of the tab answers. */
  answer: OpenedLog;
  readonly call: () => Promise<OpenedLog>;
  leave(): void;
  close(reason?: unknown): void;
  /** Sends a batch of so many records, which is stored at the offset. */
  append(topicId: string, partition: number, baseOffset: number, records?: number): Promise<void>;
}

function openTab(opened: OpenedLog = openedLog()): Tab {
  const closing = new AbortController();
  const leaving: (() => void)[] = [];
  const call = vi.fn(async () => tab.answer);
  const page = { onLeave: (listener: () => void) => void leaving.push(listener) };
  const connection = { log: 'shop', clock, page, closed: closing.signal, call };
  const writer = new WitnessWriter(connection, opened);
  const tab: Tab = {
    writer,
    answer: opened,
    call,
    leave: () => leaving.forEach((listener) => listener()),
    close: (reason) => closing.abort(reason),
    async append(topicId, partition, baseOffset, records = 1) {
      const bytes = batch(...Array.from({ length: records }, () => 'v'));
      const append = { topicId, partition, batch: bytes, compression: 'none' } as const;
      const answer = Promise.resolve([{ baseOffset, appendTime: null }]);
      writer.called('produce', { appends: [append], durability: 'relaxed' }, answer);
      await answer;
    },
  };
  return tab;
}

/** The ends of each topic in the witness, by the topic's id. */
function ends(): Record<string, readonly number[]> {
  const witness = parseWitness(readWitness('shop'));
  return Object.fromEntries((witness?.topics ?? []).map((topic) => [topic.id, topic.ends]));
}

async function later(): Promise<void> {
  clock.advance(2_000);
  await settle();
}

describe('the witness of a log', () => {
  test('begins with the log, empty', () => {
    openTab();
    const witness = { logId: 'log', topicsVersion: 1, topics: [] };
    expect(parseWitness(readWitness('shop'))).toEqual(witness);
  });

  test('gets the end of what was stored, and of what was fetched, once in a while', async () => {
    const tab = openTab();
    const { writes } = storage;
    for (let i = 0; i < 10; i++) await tab.append('t', 0, 3 * i, 3);
    const part = { topicId: 't', partition: 2, offset: 0, nextOffset: 5, segments: [] };
    const parts = [{ ...part, endOffset: 8, compressed: false }];
    tab.writer.called('fetch', {} as never, Promise.resolve(parts));
    await settle();
    expect(ends()).toEqual({});
    await later();
    expect(ends()).toEqual({ t: [30, 0, 8] });
    expect(storage.writes).toBe(writes + 1);
    await later();
    expect(storage.writes).toBe(writes + 1);
    expect(clock.timers).toBe(0);
  });

  test('is written as the page leaves, and as the log closes', async () => {
    const tab = openTab();
    await tab.append('t', 0, 0);
    tab.leave();
    expect(ends()).toEqual({ t: [1] });
    await tab.append('t', 0, 1);
    tab.close();
    expect(ends()).toEqual({ t: [2] });
    expect(clock.timers).toBe(0);
  });

  test('is of all tabs: the larger end of each partition stays', async () => {
    const [one, other] = [openTab(), openTab()];
    await one.append('t', 0, 9);
    await other.append('t', 0, 4);
    await other.append('t', 1, 6);
    one.leave();
    other.leave();
    expect(ends()).toEqual({ t: [10, 7] });
  });

  test('names a topic that was created since, and leaves out a deleted one', async () => {
    const tab = openTab();
    await tab.append('t', 0, 0);
    await later();
    expect(tab.call).not.toHaveBeenCalled();
    tab.answer = openedLog({ topicsVersion: 3 }, ['new']);
    await tab.append('new', 0, 4);
    await settle();
    await later();
    const topics = [{ id: 'new', name: 'topic new', ends: [5] }];
    const witness = { logId: 'log', topicsVersion: 3, topics };
    expect(parseWitness(readWitness('shop'))).toEqual(witness);
  });

  test('has no topics in memory', async () => {
    const tab = openTab(openedLog({}, ['memory-1']));
    await tab.append('memory-1', 0, 4);
    expect(clock.timers).toBe(0);
  });

  test('of a lost log is begun anew', () => {
    openTab(openedLog({ logId: 'lost' }));
    openTab();
    expect(parseWitness(readWitness('shop'))).toMatchObject({ logId: 'log', topics: [] });
  });

  test('of a later log is left alone by a tab that does not know yet', async () => {
    const early = openTab(openedLog({ logId: 'lost' }));
    await early.append('t', 0, 99);
    openTab();
    early.leave();
    expect(ends()).toEqual({});
    expect(early.writer.write()).toBeNull();
  });

  test('of a deleted log does not come back', async () => {
    const tab = openTab();
    await tab.append('t', 0, 0);
    removeWitness('shop');
    tab.leave();
    tab.close(logDeleted('shop'));
    expect(readWitness('shop')).toBeNull();
  });

  test('of very many partitions is bounded, and has what was seen last', async () => {
    const ids = Array.from({ length: 5_000 }, (_, i) => `topic-${i}-${'x'.repeat(30)}`);
    const tab = openTab(openedLog({}, ids));
    for (const id of ids) await tab.append(id, 0, 1_000_000);
    tab.leave();
    const { length } = readWitness('shop')!;
    expect(length).toBeLessThan(140_000);
    const kept = Object.keys(ends());
    expect(kept.length).toBeGreaterThan(1_000);
    expect(kept[0]).toBe(ids.at(-1));
  });

  test('of a thousand partitions of one topic is small', async () => {
    const tab = openTab();
    for (let i = 0; i < 1_000; i++) await tab.append('t', i, 1_000_000);
    tab.leave();
    expect(readWitness('shop')!.length).toBeLessThan(9_000);
    expect(ends()['t']).toHaveLength(1_000);
  });
});

describe('without a localStorage', () => {
  const refuse = (): never => {
    throw new DOMException('denied', 'SecurityError');
  };

  test.each([
    ['that there is', () => vi.stubGlobal('localStorage', undefined)],
    ['that can be written to', () => vi.spyOn(storage, 'setItem').mockImplementation(refuse)],
    ['that can be read', () => vi.spyOn(storage, 'getItem').mockImplementation(refuse)],
  ])('%s, the log does without', async (_, stub) => {
    stub();
    const tab = openTab();
    await tab.append('t', 0, 0);
    await later();
    tab.leave();
    tab.close();
    expect(tab.writer.write()).toBeNull();
    removeWitness('shop');
  });
});
