import { jetstreamManager } from '@nats-io/jetstream';
import { nanos, wsconnect } from '@nats-io/nats-core';
import type { NatsConnection } from '@nats-io/nats-core';
import { connect, httpSink } from '../../../src/connect.ts';
import type { Connector, ConnectorStatus, Sink } from '../../../src/connect.ts';
import { connectMirror } from '../../../src/mirror.ts';
import { durableStreamsSink } from '../../../src/durable-streams.ts';
import { natsSink } from '../../../src/nats.ts';
import type { Log, Topic } from '../../../src/index.ts';
import { json, topic } from '../../../src/index.ts';

const PARTITIONS = 4;

const events: Topic<'events', unknown, number> = topic('events', {
  value: json<number>(),
  partitions: PARTITIONS,
}) as never;

let connector: Connector | undefined;
let connecting: Promise<void> | undefined;

/** Where records are delivered to. */
export interface Target {
  readonly kind: 'http' | 'nats' | 'durable-streams' | 'mirror';
  readonly url: string;
}

const STREAM = 'events';
/** The least that a stream can have: what relies on the window is doubled at once. */
const WINDOW_MS = 100;

async function sinkOf({ kind, url }: Target): Promise<Sink> {
  if (kind === 'http') return httpSink({ url, receiver: true, timeoutMs: 2_000 });
  if (kind === 'durable-streams') return durableStreamsSink({ url, timeoutMs: 2_000 });
  return natsSink({ connection: await connectToNats(url), stream: STREAM });
}

/** Connects to a server that may be away, and makes the stream where it is missing. */
async function connectToNats(url: string): Promise<NatsConnection> {
  const connection = await wsconnect({
    servers: url,
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
  });
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const stream = { name: STREAM, subjects: ['tablog.>'], duplicate_window: nanos(WINDOW_MS) };
  await manager.streams.add(stream).catch(() => {}); // it is there
  return connection;
}

/** Connects the log to its target; goes on as soon as the target can be reached. */
export async function begin(log: Log, target: Target): Promise<void> {
  await log.admin.createTopics([events]);
  connecting = (async () => {
    const options = { name: 'server', topics: [events], backoffMs: 50, maxBackoffMs: 500 };
    const { kind, url } = target;
    connector =
      kind === 'mirror'
        ? connectMirror(log, { ...options, port: () => new WebSocket(url), timeoutMs: 2_000 })
        : connect(log, { ...options, sink: await sinkOf(target) });
  })();
}

/** The numbers that a stream has, in order. */
export async function readNats(url: string): Promise<number[]> {
  const connection = await connectToNats(url);
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const { state } = await manager.streams.info(STREAM);
  const numbers: number[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await manager.streams.getMessage(STREAM, { seq });
    numbers.push(...message!.json<{ value: number }[]>().map(({ value }) => value));
  }
  await connection.close();
  return numbers;
}

/** Sends numbers, each to the partition that it has as its remainder; resolves when all are acked. */
export async function send(log: Log, from: number, to: number): Promise<void> {
  const producer = log.producer();
  const records = Array.from({ length: to - from }, (_, i) => from + i);
  await producer.sendBatch(
    events,
    records.map((value) => ({ partition: value % PARTITIONS, value })),
  );
  await producer.close();
}

/** Resolves to whether the target has all that is stored; what has failed meanwhile passes. */
export async function isDrained(): Promise<boolean> {
  await connecting;
  return connector!.drain().then(
    () => true,
    () => false,
  );
}

export async function status(): Promise<ConnectorStatus> {
  return connector!.status();
}
