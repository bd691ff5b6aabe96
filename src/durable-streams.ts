export type { BookmarkStorage } from './connect/durable-streams/bookmarks.ts';
export { durableStreamsSink } from './connect/durable-streams/durable-streams-sink.ts';
export type { DurableStreamsSinkOptions } from './connect/durable-streams/durable-streams-sink.ts';
export { durableStreamsSource } from './connect/durable-streams/durable-streams-source.ts';
export type { DurableStreamsSourceOptions } from './connect/durable-streams/durable-streams-source.ts';
export type { DurableStreamsMessage } from './connect/durable-streams/stream-message.ts';
