import { expect, test } from 'vitest';
import { TablogError, toTablogError } from '../../src/base/error.ts';
import type { LogBroker } from '../../src/broker/log-broker.ts';
import { fromErrorData } from '../../src/protocol/error-data.ts';
import type { ErrorData } from '../../src/protocol/error-data.ts';
import type { Method } from '../../src/protocol/broker.ts';
import type { MemberRef, OwnedPartition } from '../../src/protocol/group.ts';
import type { TransactionalHolder } from '../../src/protocol/produce.ts';
import type { TopicInfo } from '../../src/protocol/topic.ts';
import { sealBatch } from '../../src/record/batch-seal.ts';
import { poolRef } from '../../src/store/indexeddb/idb-pool.ts';
import { openIdbStore } from '../../src/store/indexeddb/open-idb-store.ts';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import {
  GROUPS,
  HEAD_KEY,
  OFFSETS,
  PRODUCERS,
  TOPICS,
  logRef,
  partitionStore,
} from '../../src/store/schema.ts';
import type { RowRef, Store } from '../../src/store/store.ts';
import { stubIndexedDb } from '../store/indexeddb/fake-indexeddb.ts';
import { appendOf, batch, timedBatch, valuesOf } from '../support/broker-fixture.ts';
import { World } from '../support/world.ts';
import { joinRequest } from './groups/group-fixture.ts';

stubIndexedDb();

/** What a damaged row can read as; `undefined`: the row is lost. */
const VALUES: readonly unknown[] = [undefined, null, 'garbage', {}, 7, [], [null, {}]];

/** Calls that need the row of the partition stores. */
const NEED_POOL: ReadonlySet<Method> = new Set([
  'createTopics',
  'createPartitions',
  'deleteTopics',
]);

/** What calls may tell of a row that is lost, as they do where there never was such a row. */
const AS_IF_NEW: ReadonlySet<string> = new Set([
  'FENCED',
  'GROUP_ID_NOT_FOUND',
  'NON_EMPTY_GROUP', // a member that joins again makes a lost group anew
  'UNKNOWN_TOPIC',
]);

// The first topic takes the first partition stores.
const STORE = partitionStore(0);

/** A topic, a group that reads it, and a transactional id; all have the same name. */
interface Side {
  readonly topic: TopicInfo;
  readonly member: MemberRef;
  readonly owned: OwnedPartition;
  readonly producer: TransactionalHolder;
}

async function makeSide(broker: LogBroker, name: string): Promise<Side> {
  const [topic] = await broker.createTopics([{ name, partitions: 2 }]);
  const append = appendOf(topic!, timedBatch([1, `${name}0`], [2, `${name}1`]));
  await broker.produce({ appends: [append], durability: 'relaxed' });
  await broker.produce({ appends: [appendOf(topic!, batch(`${name}2`))], durability: 'relaxed' });
  const view = await broker.joinGroup(joinOf(name));
  const { instance, memberEpoch } = view;
  const member = { groupId: name, instance, memberId: name, memberEpoch };
  const owned = view.owned[0]!;
  await broker.commitOffsets({ member, offsets: [{ ...owned, offset: 1, metadata: '' }] });
  const request = { transactionalId: name, holder: name, seen: null };
  const producer = await broker.initProducer(request);
  return { topic: topic!, member, owned, producer };
}

const joinOf = (name: string) =>
  joinRequest(name, { groupId: name, subscription: { topics: [name], patterns: [] } });

/** Every call of a client, for one side; calls that delete come last. */
function callsOf(broker: LogBroker, side: Side): Record<Method, () => Promise<unknown>> {
  const { topic, member, owned, producer } = side;
  const { name, id } = topic;
  const place = { topicId: id, partition: 0 };
  const offsets = [{ ...owned, offset: 2, metadata: '' }];
  const session = { clientId: name, fetchId: 1, maxWaitMs: 0 };
  const want = { ...place, offset: 0, maxBytes: 1_000_000 };
  return {
    openLog: () => broker.openLog({ logId: null }),
    describeLog: () => broker.describeLog(),
    describeBroker: () => broker.describeBroker(),
    listTopics: () => broker.listTopics(),
    describeTopics: () => broker.describeTopics([name]),
    createTopics: () => broker.createTopics([{ name }, { name: `new-${name}` }]),
    createPartitions: () => broker.createPartitions([{ name, partitions: 3 }]),
    alterTopics: () => broker.alterTopics([{ name, config: { maxRecordBytes: 1_000 } }]),
    alterLog: () => broker.alterLog({ maxBytes: null }),
    runLogCleaner: () => broker.runLogCleaner(),
    listOffsets: async () => {
      const at = ['earliest', 'latest', 2] as const;
      return broker.listOffsets(at.map((each) => ({ ...place, at: each })));
    },
    listTopicOffsets: () =>
      broker.listTopicOffsets({ subscription: { topics: [name], patterns: [] }, at: 2 }),
    fetch: async () => valuesOf(unpacked(await broker.fetch({ ...session, partitions: [want] }))),
    cancelFetch: () => broker.cancelFetch(session),
    produce: async () =>
      unpacked(
        await broker.produce({ appends: [appendOf(topic, batch('p'))], durability: 'relaxed' }),
      ),
    joinGroup: () => broker.joinGroup(joinOf(name)),
    syncGroup: () => broker.syncGroup({ member, generation: -1, hidden: false, maxWaitMs: 0 }),
    positionPartitions: () =>
      broker.positionPartitions({ member, partitions: [owned], from: { at: 'earliest' } }),
    commitOffsets: () => broker.commitOffsets({ member, offsets }),
    listGroups: () => broker.listGroups(),
    describeGroups: () => broker.describeGroups([name]),
    listGroupOffsets: () => broker.listGroupOffsets({ groupId: name }),
    scrubRows: () => broker.scrubRows(),
    scrubPartition: () => broker.scrubPartition({ ...place, cursor: null }),
    transact: () =>
      broker.transact({
        appends: [appendOf(topic, batch('t'))],
        commits: [{ member, offsets }],
        durability: 'relaxed',
        producer: { ...producer, transactionalId: name },
      }),
    initProducer: () =>
      broker.initProducer({ transactionalId: name, holder: 'other', seen: producer }),
    alterGroupOffsets: () =>
      broker.alterGroupOffsets({
        groupId: name,
        partitions: [{ topic: name, partition: 0, to: { at: 'earliest' }, metadata: '' }],
        force: true,
        isReset: true,
      }),
    importPartition: () =>
      broker.importPartition({ topicId: id, partition: 1, file: sealed(batch('i')) }),
    deleteRecords: () => broker.deleteRecords([{ ...place, before: 1 }]),
    releasePartitions: () => broker.releasePartitions({ member, partitions: [owned] }),
    leaveGroup: () => broker.leaveGroup({ member, offsets: [] }),
    deleteGroups: () => broker.deleteGroups([name]),
    deleteTopics: () => broker.deleteTopics([name]),
  };
}

function sealed(file: ArrayBuffer): ArrayBuffer {
  sealBatch(new Uint8Array(file));
  return file;
}

/** The first part. Throws the part's error. */
function unpacked<T extends object>(parts: readonly T[]): T | undefined {
  const [part] = parts;
  const { error } = (part ?? {}) as { readonly error?: ErrorData };
  if (error !== undefined) throw fromErrorData(error);
  return part;
}

/** The answer of every call of a side, or its error. */
async function answersOf(broker: LogBroker, side: Side): Promise<Map<Method, unknown>> {
  const answers = new Map<Method, unknown>();
  for (const [method, call] of Object.entries(callsOf(broker, side))) {
    answers.set(method as Method, await call().catch(toTablogError));
  }
  return answers;
}

function errorsIn(answers: ReadonlyMap<Method, unknown>): [Method, TablogError][] {
  return [...answers].flatMap(([method, answer]): [Method, TablogError][] =>
    answer instanceof TablogError ? [[method, answer]] : [],
  );
}

/** The row that is damaged, of the side `bad` or of nobody. */
const ROWS = {
  log: () => logRef,
  pool: () => poolRef,
  topic: () => ({ store: TOPICS, key: 'bad' }),
  group: () => ({ store: GROUPS, key: 'bad' }),
  offset: ({ topic }) => ({ store: OFFSETS, key: ['bad', topic.id, 0] }),
  producer: () => ({ store: PRODUCERS, key: 'bad' }),
  head: () => ({ store: STORE, key: HEAD_KEY }),
  'first segment': () => ({ store: STORE, key: 0 }),
  'last segment': () => ({ store: STORE, key: 2 }),
  'segment within another': () => ({ store: STORE, key: 1 }),
  'segment of a fraction': () => ({ store: STORE, key: 0.5 }),
  'segment beyond the end': () => ({ store: STORE, key: 9 }),
  'row of another kind of key': () => ({ store: STORE, key: 'a' }),
  'topic of nobody': () => ({ store: TOPICS, key: 'zz' }),
  'group of nobody': () => ({ store: GROUPS, key: 'zz' }),
  'offset of nobody': () => ({ store: OFFSETS, key: ['zz'] }),
  'producer of nobody': () => ({ store: PRODUCERS, key: 'zz' }),
} satisfies Record<string, (bad: Side) => RowRef<unknown>>;

type Row = keyof typeof ROWS;

/** The rows that each store reads by code of its own. */
const OF_STORE: readonly Row[] = [
  'pool',
  'first segment',
  'last segment',
  'segment within another',
  'segment of a fraction',
  'segment beyond the end',
];

const cases = [
  ...(Object.keys(ROWS) as Row[]).map((row) => ({ kind: 'memory', row })),
  ...OF_STORE.map((row) => ({ kind: 'IndexedDB', row })),
].flatMap((each) =>
  ['opens', 'has'].flatMap((how) =>
    VALUES.map((value) => ({ ...each, how, value, shown: JSON.stringify(value) ?? 'lost' })),
  ),
);

test.each(cases)(
  'the row of the $row in $kind is $shown: a broker that $how the log',
  async ({ kind, row, how, value }) => {
    const store: Store =
      kind === 'memory' ? openMemoryStore() : await openIdbStore(crypto.randomUUID());
    const log = new World({ store });
    const { broker: first } = log.broker();
    const sides = { bad: await makeSide(first, 'bad'), good: await makeSide(first, 'good') };
    const ref = ROWS[row](sides.bad);
    await store.update([ref], (_, write) => {
      if (value === undefined) write.delete(ref.store, ref.key);
      else write.put(ref.store, ref.key, value);
    });
    const broker = how === 'has' ? first : log.broker().broker;
    const good = await answersOf(broker, sides.good);
    const bad = await answersOf(broker, sides.bad);

    const place = { store: ref.store, key: [ref.key].flat().join('/') };
    const corrupt = { code: 'LOG_CORRUPT', details: place };
    const isOfAll = row === 'log' || row === 'pool';
    for (const [method, error] of errorsIn(good)) {
      if (error.code === 'NON_EMPTY_GROUP') continue; // the call to leave has failed
      expect(isOfAll, `${method} of what is not damaged: ${error}`).toBe(true);
      expect(error, method).toMatchObject(corrupt);
      if (row === 'pool') expect(NEED_POOL).toContain(method);
    }
    if (row !== 'log') expect(good.get('fetch')).toEqual(['good0', 'good1', 'good2']);
    for (const [method, error] of errorsIn(bad)) {
      const { code, details } = error;
      if ((value === undefined || row === 'log') && AS_IF_NEW.has(code)) continue;
      if (row === 'producer' && method === 'transact' && code === 'FENCED') continue;
      if (row.includes('segment')) {
        expect(['LOG_CORRUPT', 'BATCH_CORRUPT'], `${method}: ${error}`).toContain(code);
        expect(details, method).toMatchObject({ partition: 0, from: expect.any(Number) });
      } else {
        expect(code, `${method}: ${error}`).toBe('LOG_CORRUPT');
        // A topic that is asked for by its id can be any of the damaged rows.
        const where = 'topicId' in details ? { store: TOPICS } : place;
        expect(details, method).toMatchObject(where);
      }
      expect(error.next).not.toBe('');
    }
  },
);
