import { MAX_TIMER_MS } from '../../base/argument.ts';
import { INVALID_REQUEST } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import type { AlterGroupOffsetsRequest, Method, OpenRequest, Request } from '../broker.ts';
import { MAX_WITNESS } from '../log-witness.ts';
import type { FetchPartition, FetchRequest, FetchSession } from '../fetch.ts';
import { ASSIGNOR_NAMES } from '../group.ts';
import type {
  CommitRequest,
  JoinRequest,
  MemberRef,
  OffsetCommit,
  PartitionAssignment,
  ReleaseRequest,
  Subscription,
  SyncRequest,
} from '../group.ts';
import type {
  Append,
  ProduceRequest,
  TransactRequest,
  TransactionalHolder,
  TransactionalProducer,
} from '../produce.ts';
import type { ScrubCursor, ScrubRequest, SeenRows } from '../scrub.ts';
import {
  anything,
  atMost,
  boolean,
  id,
  instance,
  integer,
  list,
  name,
  nullable,
  number,
  object,
  oneOf,
  optional,
  text,
} from './shape.ts';
import type { Shape, ShapesOf } from './shape.ts';
import type { Retention, TopicConfigChanges, TopicSpec } from '../topic.ts';
import { MAX_PARTITIONS } from '../topic.ts';
import { HELLO, MAX_APPENDS, MAX_ENTRIES, MAX_METADATA, MAX_REQUEST_BYTES } from '../wire.ts';
import type { HelloRequest } from '../wire.ts';

// The shapes of all requests. Any script of the origin can call the worker that serves all of its
// tabs, and one call is one turn of that worker: a call may ask for what a tab can need, and no
// more.

const offset = integer(0);
const ms = number(0, MAX_TIMER_MS);
const bytes = number(0, Infinity);
const buffer = instance(ArrayBuffer);
const many = (each: Shape): Shape => list(each, MAX_ENTRIES);

const topicIdPartition: ShapesOf<TopicIdPartition> = {
  topicId: id,
  partition: integer(0),
};
const assignment: ShapesOf<PartitionAssignment> = {
  ...topicIdPartition,
  assignmentEpoch: integer(0),
};
const time = number(-Infinity, Infinity);
const at: Shape = (value) =>
  typeof value === 'string' ? oneOf('earliest', 'latest')(value) : time(value);
const position: Shape = (value) =>
  Object.hasOwn(Object(value) as object, 'offset')
    ? object({ offset } satisfies ShapesOf<{ offset: number }>)(value)
    : object({ at } satisfies ShapesOf<{ at: unknown }>)(value);

const subscription = object({
  topics: many(name),
  patterns: many(instance(RegExp)),
} satisfies ShapesOf<Subscription>);
const member = object({
  groupId: name,
  instance: id,
  memberId: name,
  memberEpoch: integer(0),
} satisfies ShapesOf<MemberRef>);
const commit = object({
  member,
  offsets: many(
    object({
      ...assignment,
      sequence: optional(integer(0)),
      offset,
      metadata: text(MAX_METADATA),
    } satisfies ShapesOf<OffsetCommit>),
  ),
} satisfies ShapesOf<CommitRequest>);

const producer = { id: integer(0), epoch: integer(0) };
const stamp = { id: integer(-1), epoch: integer(-1), sequence: integer(-1) };
const append = object({
  ...topicIdPartition,
  batch: buffer,
  compression: oneOf('none', 'gzip', 'snappy', 'lz4', 'zstd'),
  expectedOffset: optional(nullable(offset)),
  raw: optional(
    object({
      producer: nullable(object(stamp)),
      keepsOffset: optional(boolean),
    } satisfies ShapesOf<NonNullable<Append['raw']>>),
  ),
  isDeadLetter: optional(boolean),
} satisfies ShapesOf<Append>);
const appends = (max: number): Shape =>
  atMost(list(append, max), 'bytes', MAX_REQUEST_BYTES, (all: readonly Append[]) =>
    all.reduce((sum, { batch }) => sum + batch.byteLength, 0),
  );
const durability = oneOf('relaxed', 'strict');

const retained = nullable(integer(1));
const config = object({
  storage: optional(oneOf('disk', 'memory')),
  maxRecordBytes: optional(integer(1)),
  timestampType: optional(oneOf('create', 'append')),
  cleanup: optional(oneOf('delete', 'compact', 'compact,delete')),
  retention: optional(
    object({ ms: optional(retained), bytes: optional(retained) } satisfies ShapesOf<
      Partial<Retention>
    >),
  ),
  deleteRetentionMs: optional(integer(0)),
  protectUncommitted: optional(many(name)),
  mirrorOf: optional(nullable(name)),
} satisfies ShapesOf<TopicConfigChanges>);
const partitions = integer(1, MAX_PARTITIONS);
/** Topics to be made or to grow: one call makes so many partitions at the most. */
const made = (each: Shape): Shape =>
  atMost(
    many(each),
    'partitions',
    MAX_ENTRIES,
    (all: readonly { readonly partitions?: number }[]) =>
      all.reduce((sum, topic) => sum + (topic.partitions ?? 1), 0),
  );

const witness = optional(nullable(text(MAX_WITNESS)));

const SHAPES: Readonly<Record<Method | typeof HELLO, Shape>> = {
  [HELLO]: object({
    protocol: anything, // checked before
    log: name,
    clientId: id,
    logId: nullable(id),
    witness,
  } satisfies ShapesOf<HelloRequest>),
  openLog: object({
    logId: nullable(id),
    witness,
    onUnrecoverable: optional(oneOf('error', 'recreate')),
  } satisfies ShapesOf<OpenRequest>),
  describeLog: anything,
  describeBroker: anything,
  alterLog: object({ maxBytes: nullable(integer(1)) } satisfies ShapesOf<Request<'alterLog'>>),

  createTopics: made(
    object({
      name,
      partitions: optional(partitions),
      config: optional(config),
      version: optional(integer(0)),
    } satisfies ShapesOf<TopicSpec>),
  ),
  createPartitions: made(
    object({ name, partitions } satisfies ShapesOf<Request<'createPartitions'>[number]>),
  ),
  alterTopics: many(object({ name, config } satisfies ShapesOf<Request<'alterTopics'>[number]>)),
  deleteTopics: many(name),
  listTopics: anything,
  describeTopics: many(name),
  deleteRecords: many(
    object({ ...topicIdPartition, before: offset } satisfies ShapesOf<
      Request<'deleteRecords'>[number]
    >),
  ),
  runLogCleaner: anything,
  scrubRows: anything,
  scrubPartition: object({
    ...topicIdPartition,
    cursor: nullable(
      object({
        offset,
        until: offset,
        rewrites: integer(-1),
        seen: nullable(
          object({ rows: integer(0), bytes: integer(0) } satisfies ShapesOf<SeenRows>),
        ),
      } satisfies ShapesOf<ScrubCursor>),
    ),
  } satisfies ShapesOf<ScrubRequest>),
  importPartition: object({
    ...topicIdPartition,
    file: atMost(buffer, 'bytes', MAX_REQUEST_BYTES, (file: ArrayBuffer) => file.byteLength),
    sizes: optional(many(offset)),
  } satisfies ShapesOf<Request<'importPartition'>>),

  produce: object({ appends: appends(MAX_APPENDS), durability } satisfies ShapesOf<ProduceRequest>),
  transact: object({
    appends: appends(MAX_ENTRIES),
    durability,
    commits: many(commit),
    producer: nullable(
      object({ ...producer, transactionalId: name } satisfies ShapesOf<TransactionalProducer>),
    ),
  } satisfies ShapesOf<TransactRequest>),
  initProducer: object({
    transactionalId: name,
    holder: id,
    seen: nullable(object({ ...producer, holder: id } satisfies ShapesOf<TransactionalHolder>)),
  } satisfies ShapesOf<Request<'initProducer'>>),

  fetch: object({
    clientId: id,
    fetchId: offset,
    maxWaitMs: ms,
    maxBytes: optional(bytes),
    partitions: many(
      object({ ...topicIdPartition, offset, maxBytes: bytes } satisfies ShapesOf<FetchPartition>),
    ),
    session: optional(
      object({
        id: offset,
        epoch: offset,
        forget: many(object(topicIdPartition)),
      } satisfies ShapesOf<FetchSession>),
    ),
  } satisfies ShapesOf<FetchRequest>),
  cancelFetch: object({ clientId: id, fetchId: offset } satisfies ShapesOf<Request<'cancelFetch'>>),
  listOffsets: many(
    object({ ...topicIdPartition, at } satisfies ShapesOf<Request<'listOffsets'>[number]>),
  ),
  listTopicOffsets: object({ subscription, at } satisfies ShapesOf<Request<'listTopicOffsets'>>),

  joinGroup: object({
    groupId: name,
    memberId: name,
    clientId: id,
    subscription,
    assignor: oneOf(null, ...ASSIGNOR_NAMES),
    hidden: boolean,
    sessionTimeoutMs: ms,
    rebalanceTimeoutMs: ms,
  } satisfies ShapesOf<JoinRequest>),
  syncGroup: object({
    member,
    generation: offset,
    hidden: boolean,
    maxWaitMs: ms,
  } satisfies ShapesOf<SyncRequest>),
  releasePartitions: object({
    member,
    partitions: many(object(assignment)),
  } satisfies ShapesOf<ReleaseRequest>),
  leaveGroup: commit,
  commitOffsets: commit,
  positionPartitions: object({
    member,
    partitions: many(object(assignment)),
    from: position,
    startingOffsets: optional(many(offset)),
  } satisfies ShapesOf<Request<'positionPartitions'>>),

  listGroups: anything,
  describeGroups: many(name),
  deleteGroups: many(name),
  listGroupOffsets: object({ groupId: name } satisfies ShapesOf<Request<'listGroupOffsets'>>),
  alterGroupOffsets: object({
    groupId: name,
    partitions: many(
      object({
        topic: name,
        partition: optional(integer(0)),
        to: position,
        metadata: text(MAX_METADATA),
      } satisfies ShapesOf<AlterGroupOffsetsRequest['partitions'][number]>),
    ),
    force: boolean,
    isReset: boolean,
  } satisfies ShapesOf<AlterGroupOffsetsRequest>),
};

/**
 * Throws `INVALID_REQUEST` for a request that no tab of this protocol makes: of another shape, or
 * beyond a bound. To be called before any work for the request.
 */
export function checkRequest(method: Method | typeof HELLO, request: unknown): void {
  const fault = SHAPES[method](request);
  if (fault === undefined) return;
  throw new TablogError(INVALID_REQUEST, `${method}: request${fault}`, { details: { method } });
}
