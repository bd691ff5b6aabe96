import { afterEach, describe, expect, test, vi } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { OUTCOME_UNKNOWN, STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import { Connection } from '../../../src/client/connection/connection.ts';
import { TablogError } from '../../../src/index.ts';
import { BackOff } from '../../../src/platform/retry.ts';
import type { Log, Producer } from '../../../src/index.ts';
import { toErrorData } from '../../../src/protocol/error-data.ts';
import { countOf, memoryHost, numbered, readAll, texts } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { stubHost } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { settle } from '../../support/waiting.ts';
import { openTabWith } from '../../support/world.ts';

interface Setup {
  readonly host: StubHost;
  readonly clock: ManualClock;
  readonly log: Log;
  readonly producer: Producer;
}

async function start(): Promise<Setup> {
  const host = stubHost();
  const clock = new ManualClock();
  const log = openTabWith(clock, host);
  await log.admin.createTopics(['t']);
  await log.admin.listOffsets([{ topic: 't', at: 'latest' }]); // the topic is known now
  return { host, clock, log, producer: log.producer() };
}

/** All that happens while the clock stands still. */
async function rest(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await settle();
}

describe('records behind a conflict do not wait', () => {
  test.each<[string, Record<number, number>]>([
    ['the first', { 0: 9 }],
    ['one amid', { 3: 0 }],
    ['two of them', { 1: 9, 4: 9 }],
    ['two in a row', { 2: 9, 3: 9 }],
    ['many', { 0: 99, 1: 99, 2: 99, 3: 99, 5: 99 }],
    ['the last', { 6: 0 }],
  ])('%s', async (_, wrong) => {
    const { clock, log, producer } = await start();
    await producer.send('t', { value: 'before', partition: 0 });
    const records = numbered(7).map((record) => ({ ...record, partition: 0 }));
    const outcomes: PromiseSettledResult<unknown>[] = [];
    const sent = records.map((record, i) => {
      const expectedOffset = wrong[i];
      return producer.send('t', {
        ...record,
        ...(expectedOffset !== undefined && { expectedOffset }),
      });
    });
    void Promise.allSettled(sent).then((settled) => outcomes.push(...settled));
    await rest();
    expect(outcomes.map(({ status }) => status)).toEqual(
      records.map((_, i) => (wrong[i] === undefined ? 'fulfilled' : 'rejected')),
    );
    expect(clock.timers).toBe(0);
    const stored = records.filter((_, i) => wrong[i] === undefined).map(({ value }) => value);
    expect(texts(await readAll(log, 't'))).toEqual(['before', ...stored]);
  });

  test('but those behind one that hangs do: nothing is asked over and over', async () => {
    const { host, clock, log, producer } = await start();
    const { promise: released, resolve: release } = deferred();
    let calls = 0;
    host.answer('produce', async (request, real) => {
      if (++calls > 1) return real(request);
      await released;
      throw new TablogError(OUTCOME_UNKNOWN, 'the answer was lost');
    });
    const first = producer.send('t', { value: 'a', partition: 0, expectedOffset: 0 });
    await settle();
    const second = producer.send('t', { value: 'b', partition: 0, expectedOffset: 1 });
    await rest();
    expect(calls).toBeLessThanOrEqual(3);
    expect(clock.timers).toBe(2); // the back-off, and the expiry
    release();
    await rest();
    clock.advance(100);
    await Promise.all([first, second]);
    expect(texts(await readAll(log, 't'))).toEqual(['a', 'b']);
    expect(clock.timers).toBe(0);
  });
});

describe('a page that is hidden', () => {
  const hide = { visibilitychange: () => {}, pagehide: () => {} };

  /** A producer that backs off, in a page that can be hidden. */
  async function backingOff(): Promise<Setup & { readonly sent: Promise<unknown> }> {
    const page = Object.assign(new EventTarget(), { visibilityState: 'visible' });
    const scope = new EventTarget();
    vi.stubGlobal('document', page);
    vi.stubGlobal('addEventListener', scope.addEventListener.bind(scope));
    hide.visibilitychange = () => {
      page.visibilityState = 'hidden';
      page.dispatchEvent(new Event('visibilitychange'));
    };
    hide.pagehide = () => scope.dispatchEvent(new Event('pagehide'));
    const setup = await start();
    const error = toErrorData(new TablogError(STORAGE_UNAVAILABLE, 'it is gone'));
    setup.host.answer('produce', async ({ appends }) => appends.map(() => ({ error })));
    const sent = setup.producer.send('t', { value: 'a' });
    await rest();
    expect(setup.host.requests('produce')).toHaveLength(2);
    expect(setup.clock.timers).toBe(2); // the back-off, and the expiry
    return { ...setup, sent };
  }

  afterEach(() => void vi.unstubAllGlobals());

  test.each(['visibilitychange', 'pagehide'] as const)(
    'has its records sent at once, though the producer backs off: %s',
    async (how) => {
      const { host, clock, log, producer, sent } = await backingOff();
      const later = producer.send('t', { value: 'b' });
      await settle();
      host.answer('produce', undefined);
      hide[how]();
      await Promise.all([sent, later]);
      expect(clock.timers).toBe(0);
      expect(texts(await readAll(log, 't'))).toEqual(['a', 'b']);
    },
  );

  test('also while the producer closes, and no longer when it has', async () => {
    const { host, clock, log, producer, sent } = await backingOff();
    const closing = producer.close();
    await settle();
    host.answer('produce', undefined);
    hide.pagehide();
    await Promise.all([sent, closing]);
    expect(clock.timers).toBe(0);
    expect(await countOf(log, 't')).toBe(1);
    hide.pagehide();
    await rest();
    expect(host.requests('produce')).toHaveLength(3);
  });

  test('asks once each time it is', async () => {
    const { host, clock, sent } = await backingOff();
    hide.visibilitychange();
    await rest();
    expect(host.requests('produce')).toHaveLength(3);
    expect(clock.timers).toBe(2); // the back-off, and the expiry
    host.answer('produce', undefined);
    clock.advance(240); // twice the first back-off, and its jitter
    await sent;
  });
});

test('nothing backs off in a log that is closed: no timer is left', async () => {
  const clock = new ManualClock();
  const host = memoryHost();
  const connection = new Connection({ log: 'closed', host, workerUrl: undefined, clock });
  connection.close();
  await new BackOff(connection).failed();
  expect(clock.timers).toBe(0);
});
