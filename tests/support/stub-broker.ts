import type { Log, TopicLike } from '../../src/index.ts';
import type { InlineHost } from '../../src/inline.ts';
import type { Broker, Method, Request, Response } from '../../src/protocol/broker.ts';
import { RecordBatch } from '../../src/record/batch-reader.ts';
import { memoryHost, openTab } from './log-fixture.ts';

type Call<M extends Method> = (request: Request<M>) => Promise<Response<M>>;

/** Answers a call: by itself, or with what the real broker says. */
type Answer<M extends Method> = (request: Request<M>, real: Call<M>) => Promise<Response<M>>;

/** Calls that wait until they are let through. */
export interface Gate {
  /** Resolves when this many calls have come, those that were let through included. */
  arrived(calls: number): Promise<void>;
  /** Lets through the calls that wait, and all that come. */
  open(): void;
}

/** A real broker that a test listens to, delays and breaks. */
export interface StubHost extends InlineHost {
  /** Every request of this method so far. */
  requests<M extends Method>(method: M): readonly Request<M>[];
  /** From now on calls of this method are answered so; `undefined`: by the real broker. */
  answer<M extends Method>(method: M, answer: Answer<M> | undefined): void;
  /** From now on calls of this method wait. */
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

/** A new log with these topics, in a tab whose calls a test listens to, delays and breaks. */
export async function stubbedLog(
  ...topics: readonly TopicLike[]
): Promise<{ readonly log: Log; readonly host: StubHost }> {
  const host = stubHost();
  const log = await openTab(host);
  await log.admin.createTopics(topics);
  return { log, host };
}

/** Removes the member that asked last from its group, as one that did not answer. */
export async function expel(host: StubHost, log: Log): Promise<void> {
  const opened = host.open(log.name);
  const { member } = host.requests('syncGroup').at(-1)!;
  await opened.broker.leaveGroup({ member, offsets: [] });
  opened.close();
}

/** One append of a produce request, as tests look at it. */
export interface Sent {
  readonly partition: number;
  readonly records: number;
  readonly bytes: number;
}

/** What each produce request carried. */
export function sentBy(host: StubHost): Sent[][] {
  return host.requests('produce').map(({ appends }) =>
    appends.map(({ partition, batch }) => ({
      partition,
      records: new RecordBatch(new Uint8Array(batch)).recordCount,
      bytes: batch.byteLength,
    })),
  );
}
