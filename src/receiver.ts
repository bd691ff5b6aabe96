export { nodeHandler } from './connect/http/node-handler.ts';
export type { NodeRequest, NodeResponse } from './connect/http/node-handler.ts';
export { receiver } from './connect/http/receiver.ts';
export type {
  Position,
  ReceivedBatch,
  ReceivedRecord,
  ReceivedSource,
  ReceiverOptions,
} from './connect/http/receiver.ts';
export { sqliteReceiver } from './connect/http/sqlite-receiver.ts';
export type { ReceiverDatabase, SqliteReceiverOptions } from './connect/http/sqlite-receiver.ts';
