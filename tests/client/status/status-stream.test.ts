import { describe, expect, test } from 'vitest';
import { Connection } from '../../../src/client/connection/connection.ts';
import { Log } from '../../../src/client/log.ts';
import type { LogStatus } from '../../../src/index.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { MAX_WAITING } from '../../../src/client/status/status-stream.ts';
import { logWith, memoryHost } from '../../support/log-fixture.ts';
import { listen } from './status-fixture.ts';
import { settle } from '../../support/waiting.ts';

/** Has the log tell something `count` times: a member gets its partition, and gives it up. */
async function happen(log: Log, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const consumer = log.consumer({ group: `g${i}`, topics: ['t'] });
    await consumer.ready;
    await consumer.close();
  }
}

const TOLD = ['partitionsAssigned', 'partitionsRevoked'];

/** The types of what an iterator has, until `count` are there. */
async function typesOf(
  statuses: AsyncIterableIterator<LogStatus>,
  count: number,
): Promise<string[]> {
  const types: string[] = [];
  for (let i = 0; i < count; i++) {
    const { value } = await statuses.next();
    types.push((value as LogStatus).type);
  }
  return types;
}

test('a connection is observed only while somebody listens', async () => {
  const host = memoryHost();
  const connection = new Connection({ log: 'l', host, workerUrl: undefined, clock: systemClock });
  await connection.open();
  const log = new Log('l', connection);
  expect(connection.observer).toBeUndefined();
  const [first, second] = [log.status(), log.status()];
  expect(connection.observer).toBeDefined();
  await first.return!();
  expect(connection.observer).toBeDefined();
  await second.return!();
  expect(connection.observer).toBeUndefined();
  const third = log.status();
  expect(connection.observer).toBeDefined();
  await log.close();
  expect(connection.observer).toBeUndefined();
  expect((await third.next()).done).toBe(true);
});

describe('an iterator of statuses', () => {
  test('has what happens from the call on, though nobody reads it yet', async () => {
    const log = await logWith('t');
    await happen(log, 1);
    const statuses = log.status();
    await happen(log, 1);
    expect(await typesOf(statuses, 2)).toEqual(TOLD);
  });

  test('gives each status its time', async () => {
    const log = await logWith('t');
    const { times } = listen(log);
    const before = Date.now();
    await happen(log, 1);
    await settle();
    expect(times).toHaveLength(2);
    for (const time of times) {
      expect(time).toBeGreaterThanOrEqual(before);
      expect(time).toBeLessThanOrEqual(Date.now());
    }
  });

  test('has everything, beside others', async () => {
    const log = await logWith('t');
    const first = listen(log);
    const second = listen(log);
    await happen(log, 1);
    await settle();
    expect(first.types).toEqual(TOLD);
    expect(second.told).toEqual(first.told);
  });

  test('serves several calls of next at once, in their order', async () => {
    const log = await logWith('t');
    const statuses = log.status();
    const taken = Promise.all([statuses.next(), statuses.next()]);
    await happen(log, 1);
    expect((await taken).map(({ value }) => (value as LogStatus).type)).toEqual(TOLD);
  });

  test('that nobody reads keeps the newest, and says how many it dropped', async () => {
    const log = await logWith('t');
    const statuses = log.status();
    await happen(log, MAX_WAITING / 2 + 3);
    const { value } = await statuses.next();
    expect(value).toMatchObject({ type: 'statusesDropped', count: 6 });
    const types = await typesOf(statuses, MAX_WAITING);
    expect(types).toEqual(Array.from({ length: MAX_WAITING / 2 }, () => TOLD).flat());
    await happen(log, 1);
    expect(await typesOf(statuses, 2)).toEqual(TOLD);
  });

  test('ends when its loop is left, and the others go on', async () => {
    const log = await logWith('t');
    const other = listen(log);
    const statuses = log.status();
    const reading = (async () => {
      for await (const { type } of statuses) return type;
      return undefined;
    })();
    await happen(log, 2);
    expect(await reading).toBe(TOLD[0]);
    expect(await statuses.next()).toEqual({ done: true, value: undefined });
    await settle();
    expect(other.types).toHaveLength(4);
  });

  test('ends by return() while somebody waits for the next status', async () => {
    const log = await logWith('t');
    const statuses = log.status();
    const next = statuses.next();
    await statuses.return!();
    expect(await next).toEqual({ done: true, value: undefined });
    await happen(log, 1);
    expect(await statuses.next()).toEqual({ done: true, value: undefined });
  });

  test('ends when its signal aborts, at once where it is aborted', async () => {
    const log = await logWith('t');
    const abort = new AbortController();
    const statuses = log.status({ signal: abort.signal });
    const next = statuses.next();
    abort.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    const late = log.status({ signal: abort.signal });
    expect(await late.next()).toEqual({ done: true, value: undefined });
  });

  test('ends when the log closes, after what was told until then', async () => {
    const log = await logWith('t');
    const consumer = log.consumer({ group: 'g', topics: ['t'] });
    await consumer.ready;
    const statuses = log.status();
    const { types, over } = listen(log);
    await log.close();
    await over;
    expect(types).toEqual([]); // read before it was over
    expect(await typesOf(statuses, 1)).toEqual(['partitionsRevoked']);
    expect(await statuses.next()).toEqual({ done: true, value: undefined });
    expect(() => log.status()).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });

  test('is refused with an option that breaks a rule', async () => {
    const log = await logWith('t');
    const wrong = (value: unknown): never => value as never;
    expect(() => log.status(wrong({ signal: 1 }))).toThrow('signal must be an AbortSignal, got 1');
    expect(() => log.status(wrong({ type: 'workerLost' }))).toThrow(
      'status() has no option "type"',
    );
    expect(() => log.status(wrong(null))).toThrow('status() takes an object of options, got null');
  });
});
