import { describe, expect, test } from 'vitest';
import { LOG_CORRUPT, STORAGE_FULL } from '../../src/base/error-rules.ts';
import { fromErrorData } from '../../src/protocol/error-data.ts';
import { formatWitness } from '../../src/protocol/log-witness.ts';
import type { LogWitness } from '../../src/protocol/log-witness.ts';
import type { OpenedLog } from '../../src/protocol/broker.ts';
import {
  HEAD_KEY,
  TOPICS,
  logRef,
  partitionStore,
  topicsVersionRef,
} from '../../src/store/schema.ts';
import { TablogError } from '../../src/base/error.ts';
import { log, orders, shop, useShop } from './shop.ts';

useShop(2);

/** The first partition of the first topic. */
const STORE = partitionStore(0);
const HEAD = { store: STORE, key: HEAD_KEY };

/** Loses what is stored while `work` runs, as a database whose file is cut at that point. */
async function rollBack(work: () => Promise<unknown>): Promise<void> {
  const [before] = await log.store.read([HEAD]);
  const { endOffset } = before as { endOffset: number };
  await work();
  await log.store.update([HEAD], (_, write) => {
    write.deleteSegments(STORE, endOffset, Infinity);
    write.put(STORE, HEAD_KEY, before);
  });
}

async function witnessOf(changes: Partial<LogWitness> = {}): Promise<LogWitness> {
  const { logId, topicsVersion } = await shop.broker.openLog({ logId: null });
  const topics = [{ id: orders.id, name: 'orders', ends: [5] }];
  return { logId, topicsVersion, topics, ...changes };
}

/** Opens the log in a new broker, as the first tab of a browser that starts again. */
async function openWith(witness: LogWitness | string): Promise<OpenedLog> {
  const text = typeof witness === 'string' ? witness : formatWitness(witness);
  return log.broker().broker.openLog({ logId: null, witness: text });
}

async function errorAt(offset: number): Promise<TablogError | undefined> {
  const fetched = await log.broker().fetch(orders, { offset });
  return fetched !== undefined && 'error' in fetched ? fromErrorData(fetched.error) : undefined;
}

describe('a log that is shorter than its witness', () => {
  test('tells which records are lost, and gives their offsets to no other record', async () => {
    await shop.append(orders, 'a', 'b');
    await rollBack(() => shop.append(orders, 'c', 'd', 'e'));
    const { lost, previousLogId } = await openWith(await witnessOf());
    expect(lost).toEqual([{ topic: 'orders', partition: 0, from: 2, to: 5, isTopicLost: false }]);
    expect(previousLogId).toBeUndefined();
    expect(await log.broker().append(orders, 'f')).toBe(5);

    expect(await log.broker().readAll(orders, { offset: 5 })).toEqual(['f']);
    const details = { partition: 0, from: 2, to: 5 };
    for (const offset of [2, 4]) {
      expect(await errorAt(offset)).toMatchObject({
        ...LOG_CORRUPT,
        details: { ...details, from: offset },
      });
    }
  });

  test('is told once: the next opener finds nothing lost', async () => {
    await rollBack(() => shop.append(orders, 'a'));
    const witness = await witnessOf();
    expect((await openWith(witness)).lost).toHaveLength(1);
    expect((await openWith(witness)).lost).toEqual([]);
  });

  test('wakes a reader that waits at the old end, and corrects what its broker remembers', async () => {
    await rollBack(() => shop.append(orders, 'a'));
    const reader = log.broker();
    expect(await reader.fetch(orders)).toBeUndefined();
    const waiting = reader.fetch(orders, { maxWaitMs: 60_000 });
    await reader.broker.openLog({ logId: null, witness: formatWitness(await witnessOf()) });
    expect(await waiting).toMatchObject({ error: { code: LOG_CORRUPT.code } });
  });

  test('opens although the disk is full, and is mended by the next opener', async () => {
    await rollBack(() => shop.append(orders, 'a'));
    const witness = await witnessOf();
    const other = log.broker();
    await other.broker.listTopics();
    other.connection.failNext({ error: new TablogError(STORAGE_FULL, 'no room') });
    const full = { logId: null, witness: formatWitness(witness) };
    expect((await other.broker.openLog(full)).lost).toHaveLength(1);
    expect(await other.offset(orders, 'latest')).toBe(0);
    expect((await openWith(witness)).lost).toHaveLength(1);
    expect(await other.offset(orders, 'latest')).toBe(5);
  });
});

describe('a log that is not shorter', () => {
  test('costs its opener one read more, and no write', async () => {
    await shop.append(orders, 'a', 'b', 'c', 'd', 'e');
    const other = log.broker();
    await other.broker.listTopics();
    const witness = await witnessOf();
    const rows = await log.store.read([HEAD]);
    expect(await openWith(witness)).toMatchObject({ lost: [] });
    expect(await log.store.read([HEAD])).toEqual(rows);
  });

  test.each([
    ['an end that no partition can have had', [2 ** 52]],
    ['a partition that the topic does not have', [0, 0, 7]],
  ])('is not changed by a witness with %s', async (_, ends) => {
    const topics = [{ id: orders.id, name: 'orders', ends }];
    expect((await openWith(await witnessOf({ topics }))).lost).toEqual([]);
    expect(await shop.offset(orders, 'latest')).toBe(0);
  });

  test.each(['', 'null', '{}', '[', '{"logId":1}', '{"logId":"x","topics":[null]}'])(
    'is opened as without a witness by %j, which is none',
    async (text) => {
      expect(await openWith(text)).toMatchObject({ lost: [], previousLogId: undefined });
    },
  );
});

describe('a log with another id than its witness', () => {
  test('is another log: its ends stay, and the id of the lost one is told', async () => {
    await shop.append(orders, 'a');
    const { logId, lost, previousLogId } = await openWith(await witnessOf({ logId: 'lost' }));
    expect(previousLogId).toBe('lost');
    expect(lost).toEqual([]);
    expect(logId).toBe((await log.store.read([logRef]))[0]!.logId);
    expect(await shop.offset(orders, 'latest')).toBe(1);
  });
});

describe('a topic that the log does not have', () => {
  test('was deleted, where the version of the topics has not gone back', async () => {
    const witness = await witnessOf();
    await shop.broker.deleteTopics(['orders']);
    expect((await openWith(witness)).lost).toEqual([]);
  });

  test('is lost with its records, where the version has gone back', async () => {
    const [version] = await log.store.read([topicsVersionRef]);
    const later = await shop.create('later', 2);
    const { topicsVersion } = await shop.broker.openLog({ logId: null });
    await log.store.update(
      [{ store: TOPICS, key: 'later' }, topicsVersionRef],
      ([, now], write) => {
        write.delete(TOPICS, 'later');
        write.put(topicsVersionRef.store, topicsVersionRef.key, { ...now, ...version });
      },
    );
    const topics = [{ id: later.id, name: 'later', ends: [3, 0] }];
    const { lost } = await openWith(await witnessOf({ topicsVersion, topics }));
    expect(lost).toEqual([{ topic: 'later', partition: 0, from: 0, to: 3, isTopicLost: true }]);
  });
});
