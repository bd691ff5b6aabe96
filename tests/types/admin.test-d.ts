import { expectTypeOf, test } from 'vitest';
import { json, topic } from '../../src/index.ts';
import type {
  AdminOptions,
  CommittedOffset,
  DeletedRecords,
  DiagnosticKind,
  ImportedPartition,
  ListedOffset,
  Log,
  LogDescription,
  LogDiagnostics,
  OffsetToCommit,
  ScrubReport,
  TopicConfig,
  TopicDescription,
  TopicInfo,
} from '../../src/index.ts';

const orders = topic('orders', { value: json<{ id: string }>(), cleanup: 'compact' });

declare const log: Log;
const { admin } = log;
const where = { topic: orders, partition: 0 };
const signal = new AbortController().signal;

test('an array literal gives a tuple, so that its elements are not `undefined`', async () => {
  const [{ id }, plain] = await admin.createTopics([orders, 'plain'], { version: 2, signal });
  expectTypeOf(id).toEqualTypeOf<string>();
  expectTypeOf(plain).toEqualTypeOf<TopicInfo>();
  const [described] = await admin.describeTopics([orders]);
  expectTypeOf(described).toEqualTypeOf<TopicDescription>();
  const [deleted] = await admin.deleteRecords([{ ...where, before: 'latest' }]);
  expectTypeOf(deleted).toEqualTypeOf<DeletedRecords>();
  const [first, second] = await admin.alterGroupOffsets('g', [
    { ...where, offset: 1 },
    { topic: 'plain', partition: 0, offset: 1, metadata: 'm' },
  ]);
  expectTypeOf(first).toEqualTypeOf<CommittedOffset>();
  expectTypeOf(second).toEqualTypeOf<CommittedOffset>();
});

test('an array of any length gives one of any length', async () => {
  const names: readonly string[] = [];
  expectTypeOf(admin.describeTopics(names)).resolves.toEqualTypeOf<readonly TopicDescription[]>();
  const offsets: OffsetToCommit[] = [];
  expectTypeOf(admin.alterGroupOffsets('g', offsets)).resolves.toEqualTypeOf<
    readonly CommittedOffset[]
  >();
  expectTypeOf(admin.listOffsets([{ topic: orders, at: 'latest' }])).resolves.toEqualTypeOf<
    readonly ListedOffset[]
  >();
  expectTypeOf(
    admin.scrub({ topics: [orders, 'b'], signal }),
  ).resolves.toEqualTypeOf<ScrubReport>();
});

test('what a call takes', () => {
  void admin.createPartitions([{ topic: orders, partitions: 3 }], { signal });
  void admin.alterTopics([{ topic: orders, config: { retention: { ms: null } } }]);
  void admin.listOffsets([{ topic: orders, partition: 0, at: new Date() }], { signal });
  void admin.resetGroupOffsets('g', [{ ...where, to: 5 }], { force: true, signal });
  expectTypeOf(admin.exportPartition(where)).toEqualTypeOf<ReadableStream<Uint8Array>>();
  expectTypeOf(admin.importPartition(where, new Blob(), { signal })).toEqualTypeOf<
    Promise<ImportedPartition>
  >();
  expectTypeOf(admin.describeLog({ signal })).toEqualTypeOf<Promise<LogDescription>>();
  void admin.alterLog({ maxBytes: null }, { signal });
  expectTypeOf<AdminOptions>().toEqualTypeOf<{ readonly signal?: AbortSignal }>();
});

test('what it does not', () => {
  // @ts-expect-error one topic
  void admin.describeTopics('plain');
  // @ts-expect-error one group
  void admin.describeGroups('g');
  // @ts-expect-error how many?
  void admin.createPartitions([orders]);
  // @ts-expect-error a topic and its config
  void admin.alterTopics([{ topic: orders, cleanup: 'compact' }]);
  // @ts-expect-error of which topic?
  void admin.deleteRecords([{ partition: 0, before: 1 }]);
  // @ts-expect-error which offset?
  void admin.alterGroupOffsets('g', [where]);
  // @ts-expect-error a reset looks offsets up
  void admin.alterGroupOffsets('g', [{ ...where, offset: 'latest' }]);
  // @ts-expect-error a partition
  void admin.exportPartition(orders);
  // @ts-expect-error no such option
  void admin.listTopics({ timeoutMs: 5 });
});

test('the options of a topic are those of its configuration, each of them optional', () => {
  type Options = NonNullable<Parameters<typeof topic>[1]>;
  expectTypeOf<Exclude<keyof Options, 'key' | 'value' | 'partitions'>>().toEqualTypeOf<
    keyof TopicConfig
  >();
  expectTypeOf(topic).toBeCallableWith('t', { retention: { bytes: 5 } });
  expectTypeOf(topic).toBeCallableWith('t', {});
});

test('diagnostics are plain data, with a closed set of kinds', async () => {
  const diagnostics = await log.diagnostics({ signal: new AbortController().signal });
  expectTypeOf(diagnostics).toEqualTypeOf<LogDiagnostics>();
  expectTypeOf(diagnostics.entries[0]!.kind).toEqualTypeOf<DiagnosticKind>();
  expectTypeOf(diagnostics.broker.host).toEqualTypeOf<'shared' | 'dedicated' | 'inline'>();
  expectTypeOf(log.persist()).toEqualTypeOf<Promise<boolean>>();
  // @ts-expect-error a kind that there is not
  diagnostics.entries.filter(({ kind }) => kind === 'workerStarted');
});
