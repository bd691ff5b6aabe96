import { describe, expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { TablogError } from '../../../src/base/error.ts';
import { LogBroker } from '../../../src/broker/log-broker.ts';
import type { Store } from '../../../src/store/store.ts';
import type { TestBroker } from '../../support/broker-fixture.ts';
import { openTab } from '../../support/log-fixture.ts';
import { FAULT_KINDS } from '../fault-kinds.ts';
import type { FaultKind } from '../fault-kinds.ts';
import { MaintainedPartition } from '../cleaner/cleaned-partition.ts';
import { useNoHints } from '../../support/stub-globals.ts';
import { idle } from '../../support/waiting.ts';

useNoHints();

/** A broker that has looked at the topics, so that the calls to come are those of its work. */
async function brokerAt(kept: MaintainedPartition): Promise<TestBroker> {
  const broker = kept.log.broker();
  await broker.broker.describeTopics(['orders']);
  await idle();
  return broker;
}

/** What was told, so far. */
function toldBy<T>(promise: Promise<T>): { answer?: T; error?: TablogError } {
  const told: { answer?: T; error?: TablogError } = {};
  promise.then(
    (answer) => (told.answer = answer),
    (error: unknown) => (told.error = error as TablogError),
  );
  return told;
}

function isRefused({ error }: { readonly error?: TablogError }): boolean {
  return error !== undefined && error.code !== 'OUTCOME_UNKNOWN';
}

const BEFORE = 12;

async function deleteAt(nth: number, kind: FaultKind, isReleased: boolean): Promise<boolean> {
  const kept = await MaintainedPartition.open();
  await kept.fill(10);
  const shop = await brokerAt(kept);
  for (let i = 0; i < 3; i++) await kept.append([{ key: 'k1', value: 'in memory' }], shop);
  const store = shop.connection;
  const released = deferred();
  const calls = store.calls;
  store.failNth(nth, kind.fault(released.promise));
  const request = [{ topicId: kept.topic.id, partition: 0, before: BEFORE }];
  const told = toldBy(shop.broker.deleteRecords(request));
  await idle();
  if (store.calls <= calls + nth) return false;
  const { startOffset } = (await kept.check()).head;
  if (told.answer !== undefined) {
    expect([told.answer, startOffset]).toEqual([[BEFORE], BEFORE]);
    const fetched = await shop.fetch(kept.topic, { offset: BEFORE - 1 });
    expect(fetched).toMatchObject({ error: { code: 'OFFSET_OUT_OF_RANGE' } });
  }
  if (isRefused(told)) expect(startOffset).toBe(0);
  await kept.append([{ key: 'k1', value: 'meanwhile' }], shop);
  expect(await kept.broker.broker.deleteRecords(request)).toEqual([BEFORE]);
  if (isReleased) released.resolve();
  await idle();
  if (isReleased) expect(told).not.toEqual({});
  await kept.keeper().sweep();
  const checked = await kept.check();
  expect(checked.head).toMatchObject({ startOffset: BEFORE, rowsFrom: BEFORE });
  await kept.checkRead(checked);
  await kept.sendAgain();
  return true;
}

describe('deleteRecords, of which a call', () => {
  test.each(FAULT_KINDS)('$name', async (kind) => {
    for (const isReleased of kind.isHeld ? [true, false] : [false]) {
      let nth = 0;
      while (await deleteAt(nth, kind, isReleased)) nth++;
      expect(nth).toBeGreaterThan(2); // the start moves, and rows go
    }
  });
});

async function fileOf(kept: MaintainedPartition): Promise<ArrayBuffer> {
  const { rows } = await kept.contents();
  return new Blob(rows.map(({ bytes }) => bytes)).arrayBuffer();
}

/** What others do while an import is under way. */
type Meanwhile = 'import' | 'append' | 'nothing';

async function importAt(
  nth: number,
  kind: FaultKind,
  meanwhile: Meanwhile,
  isReleased: boolean,
): Promise<boolean> {
  const from = await MaintainedPartition.open();
  await from.fill(30);
  const file = await fileOf(from);
  const kept = await MaintainedPartition.open();
  const shop = await brokerAt(kept);
  const store = shop.connection;
  const request = (): { topicId: string; partition: number; file: ArrayBuffer } => ({
    topicId: kept.topic.id,
    partition: 0,
    file: file.slice(),
  });
  const released = deferred();
  const calls = store.calls;
  store.failNth(nth, kind.fault(released.promise));
  const told = toldBy(shop.broker.importPartition(request()));
  await idle();
  if (store.calls <= calls + nth) return false;
  const look = async (): Promise<void> => {
    const { head } = await kept.contents();
    if (kept.end === 0 && head.endOffset > 0) kept.imported(from);
    await kept.check(); // whole, or not at all
    if (told.answer !== undefined) expect(told.answer).toMatchObject({ records: 30 });
  };
  await look();
  if (told.answer !== undefined) expect(kept.end).toBe(30);
  if (isRefused(told)) expect(kept.end).toBe(0);
  if (meanwhile === 'append') await kept.append([{ key: 'k1', value: 'meanwhile' }]);
  if (meanwhile === 'import') await kept.broker.broker.importPartition(request()).catch(() => {});
  await look();
  const { end } = kept;
  if (isReleased) released.resolve();
  await idle();
  await look();
  if (end > 0) expect(kept.end).toBe(end);
  if (isReleased) expect(told).not.toEqual({});
  const again = toldBy(kept.broker.broker.importPartition(request()));
  await idle();
  if (kept.end > 0) expect(again.error).toMatchObject({ code: 'PARTITION_NOT_EMPTY' });
  await look();
  expect(kept.end).toBeGreaterThan(0);
  if (kept.end >= 30) expect((await fileOf(kept)).slice(0, file.byteLength)).toEqual(file);
  await kept.append([{ key: 'k1', value: 'next' }]);
  await kept.checkRead(await kept.check());
  await kept.sendAgain();
  return true;
}

describe('importPartition, of which a call', () => {
  test.each(FAULT_KINDS)('$name', async (kind) => {
    for (const meanwhile of ['import', 'append', 'nothing'] as const) {
      for (const isReleased of kind.isHeld ? [true, false] : [false]) {
        let nth = 0;
        while (await importAt(nth, kind, meanwhile, isReleased)) nth++;
        expect(nth).toBeGreaterThan(0);
      }
    }
  });
});

/** An export that fails at its `nth` call, or brings the file; `undefined`: it has fewer calls. */
async function exportAt(
  kept: MaintainedPartition,
  nth: number,
  kind: FaultKind,
): Promise<{ readonly answer?: ArrayBuffer; readonly error?: TablogError } | undefined> {
  const store = kept.connect();
  const opened = (): Store => (store.closed.aborted ? kept.connect() : store);
  const broker = new LogBroker({ name: kept.log.name, openStore: async () => opened() });
  const log = await openTab({ open: () => ({ broker, close: () => broker.close() }) });
  await log.admin.describeTopics(['orders']);
  await idle();
  const released = deferred();
  const calls = store.calls;
  store.failNth(nth, kind.fault(released.promise));
  const stream = log.admin.exportPartition({ topic: 'orders', partition: 0 });
  const exporting = new Response(stream as BodyInit).arrayBuffer();
  const told = toldBy(exporting);
  while (told.answer === undefined && told.error === undefined && store.calls <= calls + nth) {
    await idle();
  }
  await kept.append([{ key: 'k1', value: 'meanwhile' }]);
  await kept.keeper().merge();
  released.resolve();
  await exporting.catch(() => {});
  await log.close();
  return store.calls <= calls + nth ? undefined : told;
}

describe('exportPartition, of which a call', () => {
  test.each(FAULT_KINDS)('$name', async (kind) => {
    const filled = await MaintainedPartition.open();
    await filled.fill(11, 200_000);
    const file = Buffer.from(await fileOf(filled));
    let nth = 0;
    for (; ; nth++) {
      const told = await exportAt(await filled.copy(), nth, kind);
      if (told === undefined) break;
      if (told.answer === undefined) expect(told.error).toBeInstanceOf(TablogError);
      else expect(file.equals(Buffer.from(told.answer, 0, file.length))).toBe(true);
    }
    expect(nth).toBeGreaterThan(2);
  });
});

test('an export of a partition that is compacted meanwhile can be imported', async () => {
  const kept = await MaintainedPartition.open();
  await kept.fill(12, 300_000);
  const { name, store } = kept.log;
  const broker = new LogBroker({ name, openStore: async () => store });
  const log = await openTab({ open: () => ({ broker, close: () => {} }) });
  const reader = log.admin.exportPartition({ topic: 'orders', partition: 0 }).getReader();
  const parts: Uint8Array[] = [];
  for (let i = 0; i < 4; i++) parts.push((await reader.read()).value!);
  for (let i = 0; i < 7; i++) await kept.append([{ key: `k${i}`, value: 'x'.repeat(400_000) }]);
  await kept.keeper().compact(1000, () => 0);
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    parts.push(value);
  }
  await log.admin.createTopics(['to']);
  const imported = await log.admin.importPartition(
    { topic: 'to', partition: 0 },
    new Blob(parts as BlobPart[]),
  );
  expect(imported.startOffset).toBe(0);
  expect(imported.records).toBeGreaterThanOrEqual(4);
});
