export { connect } from './connect/connector.ts';
export type { Connector, WaitingEvent } from './connect/connector.ts';
export type {
  ConnectorPartition,
  ConnectorState,
  ConnectorStatus,
} from './connect/connector-status.ts';
export type { ConnectOptions, RefusedAction } from './connect/connect-options.ts';
export { describeConnectors, listConnectors } from './connect/describe-connectors.ts';
export type { ConnectorDescription } from './connect/describe-connectors.ts';
export { httpSink } from './connect/http/http-sink.ts';
export type { HttpSinkOptions } from './connect/http/http-sink.ts';
export type { HttpSubject } from './connect/http/http-client.ts';
export { connectSource } from './connect/source-connector.ts';
export type {
  SourceConnector,
  SourceOptions,
  SourceState,
  SourceStatus,
} from './connect/source-connector.ts';
export type { Source, SourceBatch, SourceContext, SourceRecord } from './connect/source.ts';
export { ndjsonSource } from './connect/http/ndjson-source.ts';
export type { Cursor, NdjsonSourceOptions } from './connect/http/ndjson-source.ts';
export type { StreamOptions } from './connect/http/text-stream.ts';
export { sseSource } from './connect/http/sse-source.ts';
export type { ServerSentEvent, SseSourceOptions } from './connect/http/sse-source.ts';
export type {
  PositionContext,
  Sink,
  SinkBatch,
  SinkContext,
  SinkRecord,
  SinkSource,
} from './connect/sink/sink.ts';
export { SinkError } from './connect/sink/sink-error.ts';
export type { SinkErrorKind, SinkErrorOptions } from './connect/sink/sink-error.ts';
export {
  dropFields,
  filterRecords,
  mapValue,
  maskFields,
  renameFields,
  route,
  timestampRouter,
} from './connect/sink/transforms.ts';
export type { Transform, Transformed } from './connect/sink/transforms.ts';
