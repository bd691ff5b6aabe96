import { JetStreamApiError } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { mistake } from '../../base/argument.ts';
import { SinkError } from '../sink/sink-error.ts';

export { JetStreamApiError, jetstream, jetstreamManager } from '@nats-io/jetstream';

export function checkConnection(name: string, connection: unknown): void {
  if (typeof (connection as Partial<NatsConnection> | null)?.publish === 'function') return;
  throw mistake(`${name} must be a connection of @nats-io/nats-core`, connection);
}

export function checkStream(name: string, stream: unknown): void {
  if (typeof stream === 'string' && stream !== '' && !/[\s.*>]/.test(stream)) return;
  throw mistake(`${name} must be the name of a stream`, stream);
}

/** The meaning of an error of the libraries, but for what a caller knows better. */
export function natsFailureOf(error: unknown): SinkError {
  const { message } = error as Error;
  if (error instanceof JetStreamApiError) {
    return new SinkError(error.status >= 500 ? 'retry' : 'fatal', message, { cause: error });
  }
  return new SinkError('retry', `no answer from NATS: ${message}`, { cause: error });
}
