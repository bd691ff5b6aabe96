import type { Method, Request } from '../../src/protocol/broker.ts';

export const named = { topicId: 'id', partition: 0 };
export const assigned = { ...named, assignmentEpoch: 1 };
export const member = { groupId: 'g', instance: 'i', memberId: 'm', memberEpoch: 1 };
const commit = { member, offsets: [{ ...assigned, sequence: 1, offset: 0, metadata: 'text' }] };
const subscription = { topics: ['t'], patterns: [/^t/] };
export const append = {
  ...named,
  batch: new ArrayBuffer(8),
  compression: 'gzip' as const,
  expectedOffset: null,
  raw: { producer: { id: 1, epoch: 0, sequence: 0 } },
  isDeadLetter: false,
};
const forced = { metadata: '', to: { offset: 0 }, topic: 't', partition: undefined };

/** A request of each method with every property, as a tab makes it. */
export const REQUESTS: { readonly [M in Method]: Request<M> } = {
  openLog: { logId: null },
  describeLog: null,
  describeBroker: null,
  alterLog: { maxBytes: null },
  runLogCleaner: null,
  createTopics: [
    {
      name: 't',
      partitions: 2,
      version: 1,
      config: {
        storage: 'disk',
        maxRecordBytes: 1,
        timestampType: 'append',
        cleanup: 'compact',
        retention: { ms: null, bytes: 1 },
        deleteRetentionMs: 0,
        protectUncommitted: ['g'],
      },
    },
  ],
  createPartitions: [{ name: 't', partitions: 2 }],
  alterTopics: [{ name: 't', config: {} }],
  deleteTopics: ['t'],
  listTopics: null,
  describeTopics: ['t'],
  deleteRecords: [{ ...named, before: 0 }],
  scrubRows: null,
  scrubPartition: {
    ...named,
    cursor: { offset: 1, until: 2, rewrites: 0, seen: { rows: 1, bytes: 9 } },
  },
  importPartition: { ...named, file: new ArrayBuffer(8), sizes: [8] },
  produce: { appends: [append], durability: 'relaxed' },
  transact: {
    appends: [append],
    durability: 'strict',
    commits: [commit],
    producer: { id: 1, epoch: 0, transactionalId: 'tx' },
  },
  initProducer: { transactionalId: 'tx', holder: 'h', seen: { id: 1, epoch: 0, holder: 'h' } },
  fetch: {
    clientId: 'c',
    fetchId: 1,
    maxWaitMs: 0,
    maxBytes: Infinity,
    partitions: [{ ...named, offset: 0, maxBytes: 1 }],
    session: { id: 1, epoch: 0, forget: [named] },
  },
  cancelFetch: { clientId: 'c', fetchId: 1 },
  listOffsets: [{ ...named, at: 'latest' }],
  listTopicOffsets: { subscription, at: -1 },
  joinGroup: {
    groupId: 'g',
    memberId: 'm',
    clientId: 'c',
    subscription,
    assignor: null,
    hidden: false,
    sessionTimeoutMs: 0,
    rebalanceTimeoutMs: 0,
  },
  syncGroup: { member, generation: 0, hidden: true, maxWaitMs: 0 },
  releasePartitions: { member, partitions: [assigned] },
  leaveGroup: commit,
  commitOffsets: commit,
  positionPartitions: {
    member,
    partitions: [assigned],
    from: { at: 'earliest' },
    startingOffsets: [0],
  },
  listGroups: null,
  describeGroups: ['g'],
  deleteGroups: ['g'],
  listGroupOffsets: { groupId: 'g' },
  alterGroupOffsets: { groupId: 'g', partitions: [forced], force: false, isReset: true },
};
