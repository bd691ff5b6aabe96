import { onTestFinished } from 'vitest';
import { connect, httpSink } from '../../src/connect.ts';
import type { ConnectOptions, Connector, HttpSinkOptions } from '../../src/connect.ts';
import type { KafkaGateway } from '../../src/gateway.ts';
import type { Log } from '../../src/index.ts';

/** Connects a log to gateways in turn, or to one. */
export function connected(
  log: Log,
  name: string,
  gateways: KafkaGateway | readonly KafkaGateway[],
  options: Partial<ConnectOptions> & {
    readonly sink?: never;
    http?: Partial<HttpSinkOptions>;
  } = {},
): Connector {
  const all = Array.isArray(gateways) ? (gateways as readonly KafkaGateway[]) : [gateways];
  let turn = 0;
  const { http, ...others } = options;
  const connector = connect(log, {
    name: 'kafka',
    topics: [name],
    backoffMs: 5,
    maxBackoffMs: 50,
    ...others,
    sink: httpSink({
      url: 'https://gateway.test/kafka',
      receiver: true,
      fetch: async (url, init) =>
        (all[turn++ % all.length] as KafkaGateway).handle(new Request(url, init)),
      ...http,
    }),
  });
  onTestFinished(() => connector.close());
  return connector;
}

export async function send(log: Log, name: string, from: number, to: number): Promise<void> {
  const records = Array.from({ length: to - from }, (_, i) => ({ value: String(from + i) }));
  await log.producer().sendBatch(name, records);
}

export function upTo(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}
