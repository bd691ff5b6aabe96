import { onTestFinished } from 'vitest';
import { connect, httpSink } from '../../src/connect.ts';
import type {
  ConnectOptions,
  Connector,
  HttpSinkOptions,
  Sink,
  SourceContext,
} from '../../src/connect.ts';
import { json, topic } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';
import type { FakeTarget } from './fake-target.ts';

export const events = topic('events', { value: json<number>(), partitions: 1 });

/** Connects, with waits of a few milliseconds; closed when the test ends. */
export function connected(log: Log, sink: Sink, options: Partial<ConnectOptions> = {}): Connector {
  const connector = connect(log, {
    name: 'server',
    topics: [events],
    sink,
    backoffMs: 5,
    maxBackoffMs: 20,
    ...options,
  });
  onTestFinished(() => connector.close());
  return connector;
}

/** A sink to a receiver. */
export function sinkTo(target: FakeTarget, options: Partial<HttpSinkOptions> = {}): Sink {
  return httpSink({
    url: 'https://server.test/events',
    receiver: true,
    fetch: target.fetch,
    ...options,
  });
}

export async function send(log: Log, from: number, to: number): Promise<void> {
  const values = Array.from({ length: to - from }, (_, i) => ({ value: from + i }));
  await log.producer().sendBatch(events, values);
}

/** What a connector gives a source that is read until `aborter` aborts. */
export function readingUntil({ signal }: AbortController): SourceContext {
  return { signal, connected() {} };
}

export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
