import { expose, transfer } from 'comlink';
import type { Endpoint } from 'comlink';
import { INTERNAL, PROTOCOL_MISMATCH } from '../../base/error-rules.ts';
import { TablogError, toTablogError } from '../../base/error.ts';
import { PROTOCOL_VERSION } from '../broker.ts';
import type { Broker, LostRecords, Method, OpenRequest, OpenedLog } from '../broker.ts';
import { checkRequest } from './check-request.ts';
import type { FetchedPartition } from '../fetch.ts';
import { toErrorData } from '../error-data.ts';
import { HELLO } from '../wire.ts';
import type { Answer, HelloRequest, HelloResponse } from '../wire.ts';

/** The methods that a client may call. The type checks that none is missing. */
const METHODS = Object.keys({
  alterGroupOffsets: true,
  alterLog: true,
  alterTopics: true,
  cancelFetch: true,
  commitOffsets: true,
  createPartitions: true,
  createTopics: true,
  deleteGroups: true,
  deleteRecords: true,
  deleteTopics: true,
  describeBroker: true,
  describeGroups: true,
  describeLog: true,
  describeTopics: true,
  fetch: true,
  importPartition: true,
  initProducer: true,
  joinGroup: true,
  leaveGroup: true,
  listGroupOffsets: true,
  listGroups: true,
  listOffsets: true,
  listTopicOffsets: true,
  listTopics: true,
  openLog: true,
  positionPartitions: true,
  produce: true,
  releasePartitions: true,
  runLogCleaner: true,
  scrubPartition: true,
  scrubRows: true,
  syncGroup: true,
  transact: true,
} satisfies Record<Method, true>) as Method[];

/** The exposed functions. Each takes one value, and answers with a value or an error as data. */
type Exposed = Record<string, (request: never) => Promise<Answer<unknown>>>;

/** The answer to a hello. */
export interface Greeting {
  readonly response: HelloResponse;
  readonly broker: Broker;
  /** Called for each call that is answered with an error. */
  readonly onFailed?: (method: Method, error: TablogError) => void;
}

/**
 * Serves a broker on a port. `greet` answers the first call, `hello`, and returns the broker; every
 * call before `hello` is refused. Calls of a client that had the log open before wait for the check
 * that the log is still the same.
 *
 * A guard in front of Comlink lets only such calls through. Without it any tab could set properties
 * of the worker's objects, `Object.prototype` included. Of these calls, a request that no tab makes
 * is refused before any work: see `checkRequest`.
 */
export function serveBroker(
  endpoint: Omit<Endpoint, 'removeEventListener'>,
  greet: (hello: HelloRequest) => Promise<Greeting>,
): void {
  let broker: Broker | undefined;
  let onFailed: Greeting['onFailed'];
  // The log of an earlier worker, until the log has proved to be that one.
  let had: Pick<OpenRequest, 'logId' | 'witness'> | undefined;
  let proof: Promise<OpenedLog> | undefined;
  // The loss that the check found, for the next answer: a second check would not find it again.
  let untold: readonly LostRecords[] = [];
  const prove = async (served: Broker, earlier: OpenRequest): Promise<void> => {
    try {
      const { lost } = await (proof ??= served.openLog(earlier));
      if (had !== undefined) untold = lost;
      had = undefined;
    } finally {
      proof = undefined; // after a failure the next call checks again
    }
  };
  const exposed: Exposed = Object.create(null) as Exposed;
  exposed[HELLO] = (request: HelloRequest) =>
    answer(async () => {
      const protocol: unknown = (request as HelloRequest | null | undefined)?.protocol;
      if (protocol !== PROTOCOL_VERSION) {
        throw new TablogError(
          PROTOCOL_MISMATCH,
          `the tab speaks protocol ${String(protocol)}, and the worker ${PROTOCOL_VERSION}`,
        );
      }
      checkRequest(HELLO, request);
      const greeted = await greet(request);
      ({ broker, onFailed } = greeted);
      const { logId, witness = null } = request;
      had = logId === null ? undefined : { logId, witness };
      return { value: greeted.response };
    });
  for (const method of METHODS) {
    exposed[method] = (request: never) =>
      answer(
        async () => {
          if (broker === undefined) throw new TablogError(INTERNAL, 'a call came before hello');
          checkRequest(method, request);
          if (had !== undefined && method !== 'describeBroker') await prove(broker, had);
          const value = await broker[method](request);
          const lost = untold;
          untold = [];
          return answerOf(method, lost.length === 0 ? { value } : { value, lost });
        },
        (error) => onFailed?.(method, error),
      );
  }
  expose(Object.freeze(exposed), guarded(endpoint, new Set(Object.keys(exposed))));
}

async function answer(
  work: () => Promise<Answer<unknown>>,
  onFailed?: (error: TablogError) => void,
): Promise<Answer<unknown>> {
  try {
    return await work();
  } catch (thrown) {
    const error = toTablogError(thrown);
    onFailed?.(error);
    return { error: toErrorData(error) };
  }
}

/** The answer, with buffers that move instead of being copied. */
function answerOf(
  method: Method,
  answered: { readonly value: unknown; readonly lost?: readonly LostRecords[] },
): Answer<unknown> {
  if (method !== 'fetch') return answered;
  const fetched = answered.value as readonly FetchedPartition[];
  const buffers = fetched.flatMap((part) => ('error' in part ? [] : [...part.segments]));
  return buffers.length === 0 ? answered : transfer(answered, buffers);
}

/** Lets calls of an allowed method with one value through, and drops all other messages. */
function guarded(
  endpoint: Omit<Endpoint, 'removeEventListener'>,
  allowed: ReadonlySet<string>,
): Endpoint {
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
