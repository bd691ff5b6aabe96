import { Turns, nextTurn } from '../../platform/turns.ts';
import type { Broker } from '../../protocol/broker.ts';

/**
 * A broker in the thread of its callers, whose calls leave the thread its turns: a store that answers
 * without a wait, as those in memory and in SQLite do, would have a loop that reads or sends go on
 * within one turn.
 */
export function takingTurns(broker: Broker): Broker {
  const turns = new Turns();
  /** The wait for the next turn, in which calls keep their order. */
  let next: Promise<void> | undefined;
  const wait = (): Promise<void> => {
    next = nextTurn();
    void next.then(() => (next = undefined));
    return next;
  };
  return new Proxy(broker, {
    get: (_, method: keyof Broker) => {
      const call = broker[method] as (request: unknown) => Promise<unknown>;
      return (request: unknown): Promise<unknown> => {
        const waiting = next ?? (turns.isOver ? wait() : undefined);
        // Where no wait is due the call is made at once: a page may be in its last turn.
        if (waiting === undefined) return call.call(broker, request);
        return waiting.then(() => call.call(broker, request));
      };
    },
  });
}
