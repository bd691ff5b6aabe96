import { expose, transfer, wrap } from 'comlink';
import type { Endpoint } from 'comlink';
import { TablogError, toTablogError } from '../base/error.ts';
import { METHODS, PROTOCOL_VERSION } from './broker.ts';
import type { Append, Broker, FetchedPartition, Method, Request, Response } from './broker.ts';
import { fromErrorData, toErrorData } from './error-data.ts';
import type { ErrorData } from './error-data.ts';

/** The first call on every connection, before any other. */
export interface HelloRequest {
  readonly protocol: number;
  readonly log: string;
  /** The caller holds the lock of this id for as long as it lives. */
  readonly clientId: string;
}

export interface HelloResponse {
  readonly protocol: number;
  /** The worker holds the lock of this id for as long as it lives. */
  readonly brokerId: string;
}

type Answer<T> = { readonly value: T } | { readonly error: ErrorData };

/** What is exposed: each function takes one value, and answers with a value or an error as data. */
type Exposed = Record<string, (request: never) => Promise<Answer<unknown>>>;

const HELLO = 'hello';

/**
 * Serves a broker on a port. `greet` answers the first call and says which broker that is; until
 * then every other call is refused.
 *
 * Comlink stays behind a guard: as it is, any tab could set properties of the worker's objects,
 * `Object.prototype` included.
 */
export function serveBroker(
  endpoint: Endpoint,
  greet: (hello: HelloRequest) => Promise<{ response: HelloResponse; broker: Broker }>,
): void {
  let broker: Broker | undefined;
  const exposed: Exposed = Object.create(null) as Exposed;
  exposed[HELLO] = (request: HelloRequest) =>
    answer(async () => {
      if (request.protocol !== PROTOCOL_VERSION) {
        throw new TablogError(
          'PROTOCOL_MISMATCH',
          `the tab speaks protocol ${request.protocol}, and the worker ${PROTOCOL_VERSION}`,
        );
      }
      const greeted = await greet(request);
      broker = greeted.broker;
      return greeted.response;
    });
  for (const method of Object.keys(METHODS) as Method[]) {
    exposed[method] = (request: never) =>
      answer(async () => {
        if (broker === undefined) throw new TablogError('INTERNAL', 'a call came before hello');
        const value = await broker[method](request);
        return withTransfer(method, value);
      });
  }
  expose(Object.freeze(exposed), guarded(endpoint, new Set(Object.keys(exposed))));
}

/** The other side of `serveBroker`: calls that settle only when an answer comes. */
export interface BrokerPort {
  hello(request: HelloRequest): Promise<HelloResponse>;
  call<M extends Method>(method: M, request: Request<M>): Promise<Response<M>>;
}

/** The caller keeps the returned port: Comlink loses answers when its proxy is collected. */
export function connectBroker(endpoint: Endpoint): BrokerPort {
  const remote = wrap<Record<string, (request: unknown) => Answer<unknown>>>(endpoint);
  const call = async (method: string, request: unknown): Promise<unknown> => {
    const answered = await remote[method]!(request as never);
    if ('error' in answered) throw fromErrorData(answered.error);
    return answered.value;
  };
  return {
    hello: (request) => call(HELLO, request) as Promise<HelloResponse>,
    call: <M extends Method>(method: M, request: Request<M>) => {
      const buffers =
        method === 'produce' ? buffersOf((request as Request<'produce'>).appends) : [];
      const sent = buffers.length > 0 ? transfer(request as object, buffers) : request;
      return call(method, sent) as Promise<Response<M>>;
    },
  };
}

async function answer(work: () => Promise<unknown>): Promise<Answer<unknown>> {
  try {
    const value = await work();
    return value instanceof Transferred ? value.answer : { value };
  } catch (error) {
    return { error: toErrorData(toTablogError(error)) };
  }
}

/** An answer whose buffers move instead of being copied. */
class Transferred {
  readonly answer: Answer<unknown>;

  constructor(value: unknown, buffers: ArrayBuffer[]) {
    this.answer = transfer({ value }, buffers);
  }
}

function withTransfer(method: Method, value: unknown): unknown {
  if (method !== 'fetch') return value;
  const fetched = value as readonly FetchedPartition[];
  const buffers = fetched.flatMap((part) => ('error' in part ? [] : [...part.segments]));
  return buffers.length === 0 ? value : new Transferred(value, buffers);
}

function buffersOf(appends: readonly Append[]): ArrayBuffer[] {
  return appends.map((append) => append.batch);
}

/** Lets through only calls of one allowed name with one value, and drops whatever else comes. */
function guarded(endpoint: Endpoint, allowed: ReadonlySet<string>): Endpoint {
  return {
    postMessage: (message: unknown, buffers?: Transferable[]) =>
      endpoint.postMessage(message, buffers),
    addEventListener: (type: string, listener: EventListenerOrEventListenerObject) => {
      endpoint.addEventListener(type, (event) => {
        if (!isCall((event as MessageEvent).data, allowed)) return;
        if (typeof listener === 'function') listener(event);
        else listener.handleEvent(event);
      });
    },
    removeEventListener: () => {}, // a port is served for as long as it lives
    start: () => endpoint.start?.(),
  };
}

function isCall(data: unknown, allowed: ReadonlySet<string>): boolean {
  if (typeof data !== 'object' || data === null) return false;
  const { type, path, argumentList } = data as Record<'type' | 'path' | 'argumentList', unknown>;
  return (
    type === 'APPLY' &&
    Array.isArray(path) &&
    path.length === 1 &&
    allowed.has(path[0] as string) &&
    Array.isArray(argumentList) &&
    argumentList.length === 1 &&
    (argumentList[0] as { type?: unknown } | null)?.type === 'RAW'
  );
}
