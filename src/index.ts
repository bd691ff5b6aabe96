export { TablogError } from './base/error.ts';
export type { ErrorDetails } from './base/error.ts';
export type { ErrorCode } from './base/error-rules.ts';
export { deleteLog } from './client/delete-log.ts';
export type { DeleteLogOptions } from './client/delete-log.ts';
export { listLogs } from './client/list-logs.ts';
export type { ListLogsOptions } from './client/list-logs.ts';
export { openLog } from './client/open-log.ts';
export type { Log, OpenLogOptions } from './client/open-log.ts';
export type {
  Admin,
  AlterLogOptions,
  CreateTopicsOptions,
  RecordsToDelete,
  ResetOffsetsOptions,
  StorageDescription,
} from './client/admin.ts';
export type { Producer, SendOptions } from './client/producer.ts';
export type { ProducerOptions } from './client/producer-options.ts';
export type { Transaction, TransactionResult } from './client/transaction.ts';
export type { Placement } from './client/accumulator.ts';
export type { HeadersInput, ProducerRecord } from './client/record-encoder.ts';
export type { Partitioner, PartitionerInput } from './client/partitioner.ts';
export type { TopicPartition } from './client/reader-set.ts';
export type { BatchesOptions, Consumer } from './client/consumer.ts';
export type { OffsetToCommit } from './client/offset-to-commit.ts';
export type {
  AssignedPartition,
  ConsumerEvents,
  ConsumerListener,
  PartitionsEvent,
  ResetEvent,
} from './client/consumer-events.ts';
export type {
  ConsumerOptions,
  DecodeErrorAction,
  OnDecodeError,
  Position,
} from './client/consumer-options.ts';
export type { CommitMode } from './client/offset-committer.ts';
export type {
  BatchRunOptions,
  ErrorAction,
  ErrorDecision,
  HandlerContext,
  RetryLater,
  RunOptions,
} from './client/run-options.ts';
export type {
  Message,
  MessageBatch,
  MessageOf,
  RawMessage,
  TopicFilter,
} from './client/message.ts';
export type { LogFile } from './client/log-file.ts';
export type { HostedLogs, InlineHost, WorkerKind } from './client/host.ts';
export { table } from './client/table.ts';
export type { Table, TableChange, TableListener, TableOf, TableOptions } from './client/table.ts';
export type { TableSnapshot } from './client/table-snapshot.ts';
export type { TrustedScriptUrl, WorkerUrl } from './client/worker-url.ts';
export { topic } from './client/topic.ts';
export type {
  KeyInput,
  Topic,
  TopicChanges,
  TopicLike,
  TopicOptions,
  ValueInput,
} from './client/topic.ts';
export { bytes, double, float, integer, json, long, short, string } from './client/serde.ts';
export type { BytesOrText, Serde, StandardSchema } from './client/serde.ts';
export type {
  ImportedPartition,
  LeftOut,
  PartitionDescription,
  Retention,
  TopicConfig,
  TopicConfigChanges,
  TopicDescription,
  TopicInfo,
} from './protocol/broker.ts';
export type {
  AssignorName,
  CommittedOffset,
  GroupDescription,
  GroupListing,
  GroupMemberDescription,
  GroupPartitionDescription,
  GroupPhase,
} from './protocol/group.ts';
export type { Compression } from './record/batch-format.ts';
export type { Header } from './record/record-cursor.ts';
