import { jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamManager, StreamConfig } from '@nats-io/jetstream';
import { wsconnect } from '@nats-io/nats-core';
import type { NatsConnection } from '@nats-io/nats-core';
import { afterAll, beforeAll, beforeEach, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { NO_NATS, NatsServer, hasNats } from '../support/nats-server.ts';
import { freePort } from '../support/ports.ts';

/** A nats-server, and a connection to it. */
export interface Nats {
  readonly server: NatsServer;
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  /** A new stream of the subjects `<its name>.>`; deleted when the test ends. */
  newStream(config?: Partial<StreamConfig>): Promise<string>;
}

/** A nats-server for the tests of a file, which are skipped where it is not installed. */
export function useNats(): Nats {
  const used = {} as { -readonly [Key in keyof Nats]: Nats[Key] };
  let streams = 0;
  used.newStream = async (config = {}) => {
    const name = `s${streams++}`;
    await used.manager.streams.add({ name, subjects: [`${name}.>`], ...config });
    onTestFinished(async () => {
      await used.manager.streams.delete(name).catch(() => {}); // the test has
    });
    return name;
  };
  beforeAll(async () => {
    if (!hasNats) return;
    used.server = new NatsServer(await freePort(), await freePort());
    await used.server.start();
    used.connection = await wsconnect({
      servers: used.server.url,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
      // Node 20 has no WebSocket of its own.
      wsFactory: async (url: string) => ({ socket: new WebSocket(url) as never, encrypted: false }),
    });
    used.manager = await jetstreamManager(used.connection);
  });
  afterAll(async () => {
    await used.connection?.close();
    await used.server?.kill();
  });
  beforeEach(({ skip }) => {
    skip(!hasNats, NO_NATS);
  });
  return used;
}
