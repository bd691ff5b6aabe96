export { TablogError } from './base/error.ts';
export type { ErrorDetails } from './base/error.ts';
export type { ErrorCode } from './base/error-rule.ts';
export { deleteLog } from './client/delete-log.ts';
export type { DeleteLogOptions } from './client/delete-log.ts';
export { listLogs } from './client/list-logs.ts';
export type { ListLogsOptions } from './client/list-logs.ts';
export { openLog } from './client/log.ts';
export type { Log, StatusOptions } from './client/log.ts';
export type { OpenLogOptions } from './client/open-log-options.ts';
export type { LogStatus } from './client/status/log-status.ts';
export type { LogLevel, Logger, LoggerFunction } from './client/status/logger.ts';
export type { Admin } from './client/admin/admin.ts';
export type {
  AdminOptions,
  AlterGroupOffsetsOptions,
  CreateTopicsOptions,
  DeletedRecords,
  EachOf,
  ImportedPartition,
  ListedOffset,
  LogChanges,
  LogDescription,
  NewPartitions,
  OffsetsToList,
  OffsetsToReset,
  RecordsToDelete,
  ScrubFault,
  ScrubOptions,
  ScrubReport,
  ScrubbedPartition,
  TopicToAlter,
} from './client/admin/admin-options.ts';
export type { Producer } from './client/producer/producer.ts';
export type { RawMetadata } from './client/producer/raw-batches.ts';
export { SendBatchError } from './client/producer/send-batch-error.ts';
export type {
  FlushOptions,
  SendOptions,
  SendRawOptions,
  TransactionOptions,
} from './client/producer/send-options.ts';
export type { ProducerOptions } from './client/accumulator/producer-options.ts';
export type {
  Transaction,
  TransactionRecord,
  TransactionResult,
} from './client/transaction/transaction.ts';
export type { RecordMetadata } from './client/accumulator/partition-accumulator.ts';
export type { HeadersInput, ProducerRecord } from './client/accumulator/record-encoder.ts';
export type { Partitioner, PartitionerInput } from './client/accumulator/partitioner.ts';
export type { TopicPartition } from './client/fetch/assigned-partitions.ts';
export type { Consumer } from './client/consumer/consumer.ts';
export type { BatchesOptions, RawBatchesOptions } from './client/consumer/consumer-internals.ts';
export type { OffsetToCommit } from './client/consumer/offset-to-commit.ts';
export type {
  AssignedPartition,
  ConsumerEvents,
  ConsumerListener,
  PartitionsEvent,
  ResetEvent,
} from './client/fetch/consumer-events.ts';
export type { ConsumerOptions } from './client/consumer/consumer-options.ts';
export type { DecodeErrorAction, OnDecodeError } from './client/poll/on-decode-error.ts';
export type { Position } from './client/fetch/position.ts';
export type { CommitMode } from './client/group/offset-committer.ts';
export type {
  BatchRunOptions,
  ErrorAction,
  ErrorDecision,
  HandlerContext,
  RetryLater,
  RunOptions,
} from './client/run/run-options.ts';
export type {
  Message,
  MessageBatch,
  MessageOf,
  RawBatch,
  RawMessage,
  TopicFilter,
} from './client/message/message.ts';
export type { LogDiagnostics } from './client/admin/log-calls.ts';
export type { LogFile } from './client/admin/log-file.ts';
export type { HostedLogs, InlineHost, WorkerKind } from './client/connection/worker-host.ts';
export { table } from './client/table/table.ts';
export type { Table, TableOf } from './client/table/table.ts';
export type { TableListener } from './client/table/table-listeners.ts';
export type { TableChange } from './client/table/table-state.ts';
export type { TableOptions } from './client/table/table-options.ts';
export type { TableSnapshot } from './client/table/table-snapshot.ts';
export type { TrustedScriptUrl, WorkerUrl } from './client/connection/worker-url.ts';
export { topic } from './client/topics/topic.ts';
export type {
  KeyInput,
  Topic,
  TopicChanges,
  TopicLike,
  TopicOptions,
  ValueInput,
} from './client/topics/topic.ts';
export { bytes, double, float, integer, json, long, short, string } from './client/topics/serde.ts';
export type { BytesOrText, Serde, SimpleSerde, StandardSchema } from './client/topics/serde.ts';
export type {
  DecodeContext,
  EncodeContext,
  HeaderToSend,
  SerdeContext,
} from './client/topics/serde-context.ts';
export type {
  BrokerDescription,
  BrokerDiagnostics,
  DiagnosticEntry,
  DiagnosticKind,
} from './protocol/diagnostics.ts';
export type { ImportedRecords, LeftOut, StoredLog } from './protocol/broker.ts';
export type {
  PartitionDescription,
  Retention,
  TopicConfig,
  TopicConfigChanges,
  TopicDescription,
  TopicInfo,
} from './protocol/topic.ts';
export type {
  AssignorName,
  CommittedOffset,
  GroupDescription,
  GroupListing,
  GroupMemberDescription,
  GroupOffset,
  GroupPartitionDescription,
  GroupPhase,
} from './protocol/group.ts';
export type { Compression } from './record/batch-format.ts';
export type { Header } from './record/record-cursor.ts';
