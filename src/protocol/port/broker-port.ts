import { INTERNAL } from '../../base/error-rules.ts';
import { TablogError, toTablogError } from '../../base/error.ts';
import type { Endpoint } from '../../platform/endpoint.ts';
import type { LostRecords, Method, Request, Response } from '../broker.ts';
import { fromErrorData } from '../error-data.ts';
import { HELLO } from '../wire.ts';
import type { Answer, Call, HelloRequest, HelloResponse, Reply } from '../wire.ts';

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A tab's side of a connection: sends calls, and settles each with its answer. */
export class BrokerPort {
  readonly #endpoint: Endpoint;
  readonly #pending = new Map<string, Pending>();
  readonly #onRecordsLost: (lost: readonly LostRecords[]) => void;
  #lastId = 0;

  /** `onRecordsLost` gets what the broker found lost as it checked the hello. */
  constructor(
    endpoint: Endpoint,
    onRecordsLost: (lost: readonly LostRecords[]) => void = () => {},
  ) {
    this.#endpoint = endpoint;
    this.#onRecordsLost = onRecordsLost;
    endpoint.addEventListener('message', (event) => {
      this.#settle((event as MessageEvent<unknown>).data);
    });
    endpoint.start?.();
  }

  hello(request: HelloRequest): Promise<HelloResponse> {
    return this.#call(HELLO, request, []) as Promise<HelloResponse>;
  }

  /** Calls the broker. Settles with the answer, or rejects at `giveUp`. */
  call<M extends Method>(method: M, request: Request<M>): Promise<Response<M>> {
    return this.#call(method, request, buffersOf(method, request)) as Promise<Response<M>>;
  }

  /** Rejects every call that has no answer yet. */
  giveUp(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  #call(method: string, value: unknown, moved: ArrayBuffer[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = String(++this.#lastId);
      const argumentList = [{ type: 'RAW', value }] as const;
      const call: Call = { id, type: 'APPLY', path: [method], argumentList };
      this.#endpoint.postMessage(call, moved);
      this.#pending.set(id, { resolve, reject });
    });
  }

  /**
   * Ignores messages without a known id: any script of the origin can post to a BroadcastChannel.
   */
  #settle(data: unknown): void {
    const reply = (data ?? {}) as Reply;
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    this.#pending.delete(reply.id);
    try {
      const { value, lost } = successOf(reply);
      if (lost !== undefined) this.#onRecordsLost(lost);
      pending.resolve(value);
    } catch (error) {
      pending.reject(toTablogError(error));
    }
  }
}

/** The answer of a reply. Throws the error that it carries, and `INTERNAL` for other replies. */
function successOf({ type, value }: Reply): Exclude<Answer<unknown>, { error: unknown }> {
  if (type !== 'RAW') throw new TablogError(INTERNAL, 'the worker could not send its answer');
  const answer = value as Answer<unknown>;
  if ('error' in answer) throw fromErrorData(answer.error);
  return answer;
}

/** The buffers of a request that are transferred to the worker instead of copied. */
function buffersOf<M extends Method>(method: M, request: Request<M>): ArrayBuffer[] {
  if (method === 'importPartition') return [(request as Request<'importPartition'>).file];
  if (method !== 'produce' && method !== 'transact') return [];
  return (request as Request<'produce'>).appends.map(({ batch }) => batch);
}
