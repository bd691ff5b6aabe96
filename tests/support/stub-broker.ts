import type { Log, TopicLike } from '../../src/index.ts';
import type { InlineHost } from '../../src/inline.ts';
import type { Broker, Method, Request, Response } from '../../src/protocol/broker.ts';
import { RecordBatch } from '../../src/record/batch-reader.ts';
import { memoryHost, openTab } from './log-fixture.ts';

type Call<M extends Method> = (request: Request<M>) => Promise<Response<M>>;

/** Answers a call by itself, or by the real broker. */
type Answer<M extends Method> = (request: Request<M>, real: Call<M>) => Promise<Response<M>>;

/** A gate at which calls wait until a test opens it. */
export interface Gate {
  /** Resolves when this many calls have arrived at the gate since it was made. */
  arrived(calls: number): Promise<void>;
  /** Lets the waiting calls and all later calls through. */
  open(): void;
}

/**
 * A host of a real broker. A test can see the calls to the broker, delay them, and make them fail.
 */
export interface StubHost extends InlineHost {
  /** Every request of this method so far. */
  requests<M extends Method>(method: M): readonly Request<M>[];
  /** Answers calls of this method by `answer` from now on; `undefined`: by the real broker. */
  answer<M extends Method>(method: M, answer: Answer<M> | undefined): void;
  /** Holds calls of this method at a gate from now on. */
  hold(method: Method): Gate;
}

export function stubHost(host: InlineHost = memoryHost()): StubHost {
  const requests = new Map<Method, unknown[]>();
  const answers = new Map<Method, Answer<never>>();

  const wrap = (broker: Broker): Broker =>
    new Proxy(broker, {
      get: (_, method: Method) => {
        const real = (request: never): Promise<unknown> => broker[method](request);
        return async (request: never) => {
          const asked = requests.get(method);
          if (asked === undefined) requests.set(method, [request]);
          else asked.push(request);
          const answer = answers.get(method);
          return answer === undefined ? real(request) : answer(request, real as never);
        };
      },
    });

  const answer = <M extends Method>(method: M, given: Answer<M> | undefined): void => {
    if (given === undefined) answers.delete(method);
    else answers.set(method, given);
  };

  return {
    ...(host.platform !== undefined && { platform: host.platform }),
    isOneThread: true,
    open(log) {
      const opened = host.open(log);
      return { broker: wrap(opened.broker), close: () => opened.close() };
    },
    requests: <M extends Method>(method: M) => (requests.get(method) ?? []) as Request<M>[],
    answer,
    hold(method) {
      let open!: () => void;
      const opened = new Promise<void>((resolve) => (open = resolve));
      let calls = 0;
      let listeners: (() => void)[] = [];
      answer(method, async (request, real) => {
        calls++;
        for (const listener of listeners) listener();
        await opened;
        return real(request);
      });
      return {
        open,
        arrived: (wanted) =>
          new Promise((resolve) => {
            const look = (): void => {
              if (calls < wanted) return;
              listeners = listeners.filter((listener) => listener !== look);
              resolve();
            };
            listeners.push(look);
            look();
          }),
      };
    },
  };
}

/** A new log with these topics, in a tab whose calls go through a `StubHost`. */
export async function stubbedLog(
  ...topics: readonly TopicLike[]
): Promise<{ readonly log: Log; readonly host: StubHost }> {
  const host = stubHost();
  const log = await openTab(host);
  await log.admin.createTopics(topics);
  return { log, host };
}

/** Removes the member of the last `syncGroup` from its group, as if the member had not answered. */
export async function expel(host: StubHost, log: Log): Promise<void> {
  const opened = host.open(log.name);
  const { member } = host.requests('syncGroup').at(-1)!;
  await opened.broker.leaveGroup({ member, offsets: [] });
  opened.close();
}

/** One append of a produce request, as tests compare it. */
export interface Sent {
  readonly partition: number;
  readonly records: number;
  readonly bytes: number;
}

/** The appends of each produce request so far. */
export function sentBy(host: StubHost): Sent[][] {
  return host.requests('produce').map(({ appends }) =>
    appends.map(({ partition, batch }) => ({
      partition,
      records: new RecordBatch(new Uint8Array(batch)).recordCount,
      bytes: batch.byteLength,
    })),
  );
}
