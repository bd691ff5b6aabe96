import { jetstreamManager } from '@nats-io/jetstream';
import { wsconnect } from '@nats-io/nats-core';
import type { NatsConnection } from '@nats-io/nats-core';

export const STREAM = 'events';

/** Connects to a server, and makes the stream where it is missing. */
export async function connectToNats(url: string): Promise<NatsConnection> {
  const connection = await wsconnect({ servers: url });
  const manager = await jetstreamManager(connection);
  const subjects = ['tablog.>', 'plain.>'];
  await manager.streams.add({ name: STREAM, subjects }).catch(() => {}); // it is there
  return connection;
}

/** The values that the stream has, in order. */
export async function readNats(url: string): Promise<string[]> {
  const connection = await connectToNats(url);
  const manager = await jetstreamManager(connection);
  const { state } = await manager.streams.info(STREAM);
  const values: string[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await manager.streams.getMessage(STREAM, { seq });
    values.push(...message!.json<{ value: string }[]>().map(({ value }) => value));
  }
  await connection.close();
  return values;
}
