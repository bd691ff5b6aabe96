import { onTestFinished } from 'vitest';
import type { Broker, Method } from '../../src/protocol/broker.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/broker.ts';
import { BrokerPort } from '../../src/protocol/port/broker-port.ts';
import { serveBroker } from '../../src/protocol/port/serve-broker.ts';
import type { HelloRequest, HelloResponse } from '../../src/protocol/wire.ts';

export const HELLO: HelloRequest = {
  protocol: PROTOCOL_VERSION,
  log: 'shop',
  clientId: 'client',
  logId: null,
};
export const WELCOME: HelloResponse = { protocol: PROTOCOL_VERSION, brokerId: 'broker' };

/** Every method of a broker; the type sees that none is missing. */
export const METHODS = Object.keys({
  alterGroupOffsets: 0,
  alterLog: 0,
  alterTopics: 0,
  cancelFetch: 0,
  commitOffsets: 0,
  createPartitions: 0,
  createTopics: 0,
  deleteGroups: 0,
  deleteRecords: 0,
  deleteTopics: 0,
  describeBroker: 0,
  describeGroups: 0,
  describeLog: 0,
  openLog: 0,
  describeTopics: 0,
  fetch: 0,
  importPartition: 0,
  initProducer: 0,
  joinGroup: 0,
  leaveGroup: 0,
  listGroupOffsets: 0,
  listGroups: 0,
  listOffsets: 0,
  listTopicOffsets: 0,
  listTopics: 0,
  positionPartitions: 0,
  produce: 0,
  releasePartitions: 0,
  runLogCleaner: 0,
  scrubPartition: 0,
  scrubRows: 0,
  syncGroup: 0,
  transact: 0,
} satisfies Record<Method, 0>) as readonly Method[];

export interface Connected {
  /** The tab's side. */
  readonly port: BrokerPort;
  /** The tab's end of the channel, for what a well-behaved tab would not send. */
  readonly raw: MessagePort;
  /** Every hello that was let in. */
  readonly greeted: HelloRequest[];
}

/** A tab and a worker over a real channel; the worker serves what `broker` has of a broker. */
export function connect(broker: Partial<Broker> = {}): Connected {
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port1.close());
  const greeted: HelloRequest[] = [];
  serveBroker(port2, async (request) => {
    greeted.push(request);
    return { response: WELCOME, broker: broker as Broker };
  });
  return { port: new BrokerPort(port1), raw: port1, greeted };
}

/** The same, after hello. */
export async function connected(broker: Partial<Broker>): Promise<Connected> {
  const connection = connect(broker);
  await connection.port.hello(HELLO);
  return connection;
}
