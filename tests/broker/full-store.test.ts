import { describe, expect, test, vi } from 'vitest';
import { OUTCOME_UNKNOWN } from '../../src/base/error-rules.ts';
import { TablogError } from '../../src/base/error.ts';
import { bytes, string, topic } from '../../src/index.ts';
import type { Log, Producer } from '../../src/index.ts';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import { logRef } from '../../src/store/schema.ts';
import { ReservedStore } from '../../src/store/reserved-store.ts';
import { BoundedStore } from '../support/bounded-store.ts';
import { readAll, take } from '../support/log-fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { settle } from '../support/waiting.ts';
import { World } from '../support/world.ts';

vi.stubGlobal('navigator', undefined); // newer Nodes have locks

const MIB = 1024 * 1024;
const ROOM = 16 * MIB;
const orders = topic('orders', { key: string(), value: bytes() });
const others = topic('others', { value: bytes() });

interface FullLog {
  readonly log: Log;
  readonly world: World;
  readonly bounded: BoundedStore;
  readonly producer: Producer;
  /** The keys of the records in 'orders' that were acked. */
  readonly acked: string[];
  readonly send: (size: number) => Promise<unknown>;
  readonly fill: () => Promise<void>;
}

/** A log that has 2 MiB in 'others', and in 'orders' as much as fits. */
async function openFull(): Promise<FullLog> {
  const clock = new ManualClock();
  const bounded = new BoundedStore(openMemoryStore(clock.now()), ROOM);
  const world = new World({ store: new ReservedStore(bounded) });
  const { log } = await world.openTab({}, orders, others);
  const producer = log.producer();
  const acked: string[] = [];
  let sent = 0;
  const send = async (size: number): Promise<unknown> => {
    const key = String(sent++);
    const stored = await producer
      .send(orders, { key, value: new Uint8Array(size) })
      .catch((error: unknown) => error);
    const isStored = !(stored instanceof Error);
    if (isStored) acked.push(key);
    return isStored ? 'stored' : (stored as Error & { code: string }).code;
  };
  const fill = async (): Promise<void> => {
    for (const size of [MIB / 4, 4_096, 100]) while ((await send(size)) === 'stored');
  };
  for (let i = 0; i < 8; i++) await producer.send(others, { value: new Uint8Array(MIB / 4) });
  await settle(); // the reserve is put in the background
  await fill();
  bounded.room = 0; // a small row may have fitted still
  return { log, world, bounded, producer, acked, send, fill };
}

/** Passes the time until the cleaner has run. */
async function cleaned(world: World): Promise<void> {
  for (let i = 0; i < 60; i++) await world.pass(250);
}

const keysOf = async (log: Log): Promise<string[]> =>
  (await readAll(log, orders)).map(({ key }) => key!);

async function boundsOf(log: Log): Promise<{ startOffset: number; endOffset: number }> {
  const [{ partitions }] = await log.admin.describeTopics([orders]);
  return partitions[0]!;
}

describe('in a full origin', () => {
  test('reads go on, and a refused record is not stored', async () => {
    const { log, acked, send } = await openFull();
    expect(await send(100)).toBe('STORAGE_FULL');
    expect(await keysOf(log)).toEqual(acked);
  });

  test('deleteRecords works, and producing goes on by itself', async () => {
    const { log, acked, send } = await openFull();
    const { endOffset } = await boundsOf(log);
    const before = Math.floor(endOffset / 2);
    await log.admin.deleteRecords([{ topic: orders, partition: 0, before }]);
    await settle(20);
    expect(await send(100)).toBe('stored');
    expect(await send(MIB / 2)).toBe('stored');
    expect(await boundsOf(log)).toMatchObject({ startOffset: before, endOffset: endOffset + 2 });
    expect(await keysOf(log)).toEqual(acked.slice(before));
  });

  test('deleteTopics works, and producing goes on by itself', async () => {
    const { log, acked, send } = await openFull();
    await log.admin.deleteTopics([others]);
    expect(await send(MIB / 2)).toBe('stored');
    expect(await keysOf(log)).toEqual(acked);
  });

  test('alterLog works, and the log shrinks to its budget', async () => {
    const { log, world, send } = await openFull();
    await log.admin.alterLog({ maxBytes: 3 * MIB });
    await cleaned(world);
    expect((await log.admin.describeLog()).bytes).toBeLessThanOrEqual(3.25 * MIB);
    expect(await send(MIB / 2)).toBe('stored');
  });

  test('alterTopics works, and retention deletes what the topic may no longer have', async () => {
    const { log, world, send } = await openFull();
    await log.admin.alterTopics([{ topic: orders, config: { retention: { bytes: MIB } } }]);
    await cleaned(world);
    const [{ partitions }] = await log.admin.describeTopics([orders]);
    expect(partitions[0]!.bytes).toBeLessThanOrEqual(1.25 * MIB);
    expect(await send(MIB / 2)).toBe('stored');
  });

  test('a group joins, commits and drains the queue, while producers keep trying', async () => {
    const { log, acked, send } = await openFull();
    const consumer = log.consumer({ group: 'upload', topics: [orders], from: 'earliest' });
    await consumer.ready;
    const read: string[] = [];
    for await (const message of consumer) {
      read.push(message.key!);
      if (read.length === acked.length) break;
      expect(await send(100)).toBe('STORAGE_FULL');
    }
    await consumer.close();
    expect(read).toEqual(acked);
    const offset = (await log.admin.listGroupOffsets('upload'))[0]!.offset;
    expect(offset).toBe(acked.length - 1); // the last one was not finished
    await log.admin.deleteRecords([{ topic: orders, partition: 0, before: offset }]);
    await settle(20);
    expect(await send(100)).toBe('stored');
    expect(await keysOf(log)).toEqual(acked.slice(offset));
  });

  test('it can fill up and be trimmed again and again', async () => {
    const { log, acked, send, fill } = await openFull();
    for (let round = 0; round < 4; round++) {
      const { endOffset: before } = await boundsOf(log);
      await log.admin.deleteRecords([{ topic: orders, partition: 0, before }]);
      await settle(20);
      expect(await send(MIB / 2)).toBe('stored');
      expect(await keysOf(log)).toEqual(acked.slice(before));
      await fill();
      expect(await keysOf(log)).toEqual(acked.slice(before));
    }
  });

  test('producing goes on by itself when something else of the origin is deleted', async () => {
    const { log, bounded, send, acked } = await openFull();
    await log.admin.alterLog({ maxBytes: 100 * MIB }); // spends the reserve
    expect(await send(100)).toBe('STORAGE_FULL');
    bounded.room += 2 * MIB;
    expect(await send(100)).toBe('stored');
    expect(await keysOf(log)).toEqual(acked);
  });

  test('a broker that opens the log later does not use up the room of small writes', async () => {
    const { log, bounded } = await openFull();
    await log.admin.alterLog({ maxBytes: 100 * MIB });
    const later = new World({ store: new ReservedStore(bounded) });
    const { log: other } = await later.openTab();
    const sent = other.producer().send(orders, { key: 'x', value: new Uint8Array(100) });
    await expect(sent).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    await other.admin.alterLog({ maxBytes: 101 * MIB });
  });

  test('a browser that gives nothing back: small writes go on as long as the reserve lasts', async () => {
    const { log, bounded, acked, send } = await openFull();
    bounded.givesBack = 'nothing';
    bounded.room += 10_000;
    const consumer = log.consumer({ group: 'upload', topics: [orders], from: 'earliest' });
    expect((await take(consumer, 3)).map(({ key }) => key)).toEqual(acked.slice(0, 3));
    await consumer.close();
    bounded.room = 0;
    const failed = log.admin.alterLog({ maxBytes: 100 * MIB });
    await expect(failed).rejects.toMatchObject({ code: 'STORAGE_FULL', retriable: true });
    await expect(failed).rejects.toThrow(/the reserve.*is used up.*Delete other data/);
    expect(await send(100)).toBe('STORAGE_FULL');
    expect(await keysOf(log)).toEqual(acked);
  });

  test('a browser that is killed after the reserve was deleted loses nothing', async () => {
    const { world, bounded, acked } = await openFull();
    // The delete is stored, and the write that needed it never comes.
    const error = new TablogError(OUTCOME_UNKNOWN, 'killed');
    bounded.failNext({}, {}, { error, stored: false });
    const altering = world.store.update([logRef], ([row], write) => {
      write.put(logRef.store, logRef.key, row);
    });
    await expect(altering).rejects.toThrow(error);
    const later = new World({ store: new ReservedStore(bounded) });
    const { log: other } = await later.openTab();
    expect(await keysOf(other)).toEqual(acked);
    await other.admin.deleteTopics([others]);
    await other.producer().send(orders, { key: 'x', value: new Uint8Array(100) });
    expect(await keysOf(other)).toEqual([...acked, 'x']);
  });
});

test('a small log has no reserve, and a larger one has', async () => {
  const store = new ReservedStore(openMemoryStore());
  const world = new World({ store });
  const { log } = await world.openTab({}, others);
  const rows = async (): Promise<number> => (await store.readAll('meta')).length;
  const before = await rows();
  await log.producer().send(others, { value: new Uint8Array(MIB / 2) });
  await settle();
  expect(await rows()).toBe(before);
  await log.producer().send(others, { value: new Uint8Array(MIB) });
  await settle();
  expect(await rows()).toBeGreaterThan(before);
});
