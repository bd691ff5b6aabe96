import { expect, test } from 'vitest';
import { logWith } from '../../support/log-fixture.ts';
import { eventually } from '../../support/waiting.ts';
import { asMember, orders, send, series } from './run-fixture.ts';

/** As long as the loop may go on within one turn, and its handlers make up. */
function workFor(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test('a run ends where its consumer is closed in a turn that the run leaves to others', async () => {
  const log = await logWith(orders);
  await send(log, 0, ...series('a', 200));
  const consumer = log.consumer(asMember);
  let handled = 0;
  let hasEnded = false;
  const running = consumer
    .run({
      max: 1,
      eachBatch: () => {
        // What is queued now comes before the run goes on.
        if (++handled === 20) setImmediate(() => void consumer.close());
        workFor(2);
      },
    })
    .then(() => (hasEnded = true));
  await eventually(() => hasEnded);
  await running;
  expect(handled).toBeGreaterThanOrEqual(20);
  expect(handled).toBeLessThan(200);
});
