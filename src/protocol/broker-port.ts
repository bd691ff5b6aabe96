import { INTERNAL } from '../base/error-rules.ts';
import { TablogError, toTablogError } from '../base/error.ts';
import type { Endpoint } from '../platform/endpoint.ts';
import type { Method, Request, Response } from './broker.ts';
import { fromErrorData } from './error-data.ts';
import { HELLO } from './wire.ts';
import type { Answer, Call, HelloRequest, HelloResponse, Reply } from './wire.ts';

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A tab's side of a connection: calls, and the answers that they wait for. */
export class BrokerPort {
  readonly #endpoint: Endpoint;
  readonly #pending = new Map<string, Pending>();
  #lastId = 0;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    endpoint.addEventListener('message', (event) => {
      this.#settle((event as MessageEvent<unknown>).data);
    });
    endpoint.start?.();
  }

  hello(request: HelloRequest): Promise<HelloResponse> {
    return this.#call(HELLO, request, []) as Promise<HelloResponse>;
  }

  /** Settles when the answer comes, or when somebody gives up. */
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

  /** Whatever came: brokers talk where any script of the origin can post. */
  #settle(data: unknown): void {
    const reply = (data ?? {}) as Reply;
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    this.#pending.delete(reply.id);
    try {
      pending.resolve(valueOf(reply));
    } catch (error) {
      pending.reject(toTablogError(error));
    }
  }
}

/** Throws the error that was sent instead, and where it is neither. */
function valueOf({ type, value }: Reply): unknown {
  if (type !== 'RAW') throw new TablogError(INTERNAL, 'the worker could not send its answer');
  const answer = value as Answer<unknown>;
  if ('error' in answer) throw fromErrorData(answer.error);
  return answer.value;
}

/** What is moved to the worker, and not copied. */
function buffersOf<M extends Method>(method: M, request: Request<M>): ArrayBuffer[] {
  if (method === 'importPartition') return [(request as Request<'importPartition'>).file];
  if (method !== 'produce' && method !== 'transact') return [];
  return (request as Request<'produce'>).appends.map(({ batch }) => batch);
}
