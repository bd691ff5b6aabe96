import { abortable } from '../../base/abortable.ts';
import type { Method, Request, Response } from '../../protocol/broker.ts';
import type { Connection } from '../connection/connection.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';

/** The calls that change the topics or their configuration. */
const CHANGES: ReadonlySet<Method> = new Set([
  'createTopics',
  'createPartitions',
  'alterTopics',
  'deleteTopics',
]);

/** Calls the broker for `log.admin`. */
export class BrokerCalls {
  readonly #connection: Connection;
  readonly #topicMetadata: TopicMetadata;

  constructor(connection: Connection, topicMetadata: TopicMetadata) {
    this.#connection = connection;
    this.#topicMetadata = topicMetadata;
  }

  /** Calls one method; `signal` ends the wait. `extraMs` is added to the call's deadline. */
  async ask<M extends Method>(
    method: M,
    request: Request<M>,
    signal: AbortSignal | undefined,
    extraMs?: number,
  ): Promise<Response<M>> {
    signal?.throwIfAborted();
    const call = this.#connection.call(method, request, extraMs);
    // A change by this tab is known before the hint of the change arrives.
    const response = CHANGES.has(method) ? call.finally(() => this.#topicMetadata.forget()) : call;
    return abortable(signal, response);
  }
}
