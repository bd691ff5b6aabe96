import type { Producer } from '../src/index.ts';
import { isFromEmptying, pageEvents } from './demo-log.ts';
import type { PageEvent } from './demo-log.ts';

const MOVE_EVERY_MS = 100;

/** Turns what happens on this page into records, with `key` for all of them. */
export function recordPageEvents(
  producer: Producer,
  key: string,
  onError: (error: unknown) => void,
): void {
  let movedAt = -Infinity;
  const send = (value: PageEvent): void => {
    producer.send(pageEvents, { key, value }).catch((error: unknown) => {
      // An event from before the log was emptied is what emptying is meant to lose.
      if (!isFromEmptying(error)) onError(error);
    });
  };

  send({ kind: 'open' });
  addEventListener('pointermove', ({ timeStamp, clientX, clientY }) => {
    if (timeStamp - movedAt < MOVE_EVERY_MS) return;
    movedAt = timeStamp;
    send({ kind: 'pointermove', x: Math.round(clientX), y: Math.round(clientY) });
  });
  addEventListener('click', ({ clientX, clientY }) => {
    send({ kind: 'click', x: Math.round(clientX), y: Math.round(clientY) });
  });
  addEventListener('keydown', ({ repeat }) => {
    if (!repeat) send({ kind: 'keydown' });
  });
  document.addEventListener('visibilitychange', () => {
    send({ kind: 'visibilitychange', state: document.visibilityState });
  });
}
