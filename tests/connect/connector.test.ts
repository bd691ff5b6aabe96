import { describe, expect, test, vi } from 'vitest';
import { SinkError, connect, describeConnectors, listConnectors } from '../../src/connect.ts';
import type { ConnectOptions, SinkBatch, Transform } from '../../src/connect.ts';
import { json, openLog, topic } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';
import { memoryHost, openTwoTabs, logWith, readAll } from '../support/log-fixture.ts';
import { eventually, settle } from '../support/waiting.ts';
import { connected, events, send, sinkTo, upTo } from './connector-fixture.ts';
import { FakeTarget } from './fake-target.ts';

describe('a connector', () => {
  test('delivers what is stored, and what comes', async () => {
    const log = await logWith(events);
    await send(log, 0, 10);
    const target = new FakeTarget();
    const connector = connected(log, sinkTo(target));
    await connector.drain();
    await send(log, 10, 20);
    await connector.drain();
    expect(target.values).toEqual(upTo(20));
    expect(await connector.status()).toEqual({
      name: 'server',
      state: 'running',
      error: undefined,
      retryAt: undefined,
      delivered: 20,
      lost: 0,
      partitions: [{ topic: 'events', partition: 0, position: 20, endOffset: 20, lag: 0 }],
    });
  });

  test.each(['requestLost', 'answerLost'] as const)(
    'sends again, and stores once: %s',
    async (fault) => {
      const log = await logWith(events);
      await send(log, 0, 10);
      const target = new FakeTarget();
      target.faults.push('none', fault, 'none', fault, fault);
      const states: string[] = [];
      const connector = connected(log, sinkTo(target), { onStatus: (state) => states.push(state) });
      await eventually(() => target.values.length >= 10);
      await eventually(async () => (await connector.status()).state === 'running');
      expect(target.values).toEqual(upTo(10));
      expect(target.requests.filter((each) => each === 'GET').length).toBeGreaterThan(1);
      expect(states).toContain('backingOff');
    },
  );

  test('goes on where the target stands, whatever the group has committed', async () => {
    const log = await logWith(events);
    await send(log, 0, 10);
    const target = new FakeTarget();
    const first = connected(log, sinkTo(target));
    await first.drain();
    await first.close();
    // The target was restored from a copy of some time before.
    const [source] = target.positions.keys();
    target.positions.set(source!, 4);
    target.stored.set(source!, target.stored.get(source!)!.slice(0, 4));
    await send(log, 10, 12);
    const second = connected(log, sinkTo(target));
    await eventually(() => target.values.length >= 12);
    expect(target.values).toEqual(upTo(12));
    await second.close();
  });

  test('sends again after each rollback of the target, to the same position as well', async () => {
    const log = await logWith(events);
    await send(log, 0, 10);
    const target = new FakeTarget();
    const connector = connected(log, sinkTo(target));
    await connector.drain();
    const [source] = target.positions.keys();
    for (let sent = 10; sent < 14; sent += 2) {
      target.positions.set(source!, 4);
      target.stored.set(source!, target.stored.get(source!)!.slice(0, 4));
      await send(log, sent, sent + 2);
      await eventually(() => target.values.length >= sent + 2);
      expect(target.values).toEqual(upTo(sent + 2));
    }
  });

  test('gives a target that has lost everything all that the log has', async () => {
    const log = await logWith(events);
    await send(log, 0, 10);
    const target = new FakeTarget();
    const connector = connected(log, sinkTo(target));
    await connector.drain();
    target.positions.clear();
    target.stored.clear();
    await connector.restart();
    await connector.drain();
    expect(target.values).toEqual(upTo(10));
  });

  test('drains at once where the target has it all, and the group knows nothing', async () => {
    const log = await logWith(events);
    await send(log, 0, 10);
    const target = new FakeTarget();
    const [source] = await sourceOf(log, target);
    target.positions.set(source!, 10);
    const connector = connected(log, sinkTo(target), { maxRecords: 3 });
    await connector.drain();
    const [described] = await describeConnectors(log, ['server']);
    expect(described!.partitions[0]!.lag).toBe(0);
    expect(target.values).toEqual([]);
  });

  test('restarts and closes one after the other, and puts nothing afterwards', async () => {
    const log = await logWith(events);
    await send(log, 0, 10);
    const puts: number[] = [];
    let isClosed = false;
    const sink = {
      put: ({ from }: SinkBatch): number => {
        if (isClosed) puts.push(from);
        return from + 1;
      },
      close: () => void (isClosed = true),
    };
    const connector = connected(log, sink);
    await Promise.all([connector.restart(), connector.restart()]);
    await Promise.all([connector.restart(), connector.close()]);
    await send(log, 10, 12);
    expect((await connector.status()).state).toBe('closed');
    expect(puts).toEqual([]);
    await expect(connector.restart()).rejects.toThrow(/cannot be restarted/);
    await expect(connector.drain()).rejects.toMatchObject({ message: 'the connector is closed' });
  });

  test('closes with its log, and its sink with it', async () => {
    const log = await logWith(events);
    const closed = vi.fn();
    const states: string[] = [];
    const connector = connected(
      log,
      { put: () => {}, close: closed },
      { onStatus: (state) => states.push(state) },
    );
    await eventually(async () => (await connector.status()).state === 'running');
    await log.close();
    await eventually(() => states.at(-1) === 'closed');
    expect(closed).toHaveBeenCalledTimes(1);
  });

  test('tells how much was removed before the target got it, and rejects a drain while it is paused', async () => {
    const log = await logWith(events);
    await send(log, 0, 10);
    const target = new FakeTarget();
    const connector = connected(log, sinkTo(target));
    connector.pause();
    await expect(connector.drain()).rejects.toMatchObject({ message: 'the connector is paused' });
    await log.admin.deleteRecords([{ topic: events, partition: 0, before: 4 }]);
    connector.resume();
    await connector.drain();
    expect(target.values).toEqual([4, 5, 6, 7, 8, 9]);
    expect((await connector.status()).lost).toBe(4);
  });

  test('puts the batch in hand of a target that cannot tell, however late it says so', async () => {
    const log = await logWith(events);
    await send(log, 0, 10);
    const asked: { answer: () => void; fail: () => void }[] = [];
    const put: unknown[] = [];
    const sink = {
      position: () =>
        new Promise<undefined>((resolve, reject) => {
          asked.push({ answer: () => resolve(undefined), fail: () => reject(new Error('away')) });
        }),
      put: ({ records }: SinkBatch) => void put.push(...records.map(({ value }) => value)),
    };
    connected(log, sink);
    // Once as the partition is assigned, and once with the first batch.
    await eventually(() => asked.length === 2);
    asked[1]!.fail();
    await settle();
    asked[0]!.answer();
    await eventually(() => asked.length === 3);
    asked[2]!.answer();
    await eventually(() => put.length > 0);
    expect(put).toEqual(upTo(10));
  });

  test('puts nothing while its target is being asked, which may keep what it reads', async () => {
    const log = await logWith(events);
    await send(log, 0, 10);
    const asked: (() => void)[] = [];
    const put: unknown[] = [];
    const connector = connected(log, {
      position: () => new Promise<null>((resolve) => void asked.push(() => resolve(null))),
      put: ({ records }: SinkBatch) => void put.push(...records.map(({ value }) => value)),
    });
    // As the partition is assigned, and with the first batch.
    await eventually(() => asked.length === 2);
    asked[1]!();
    await settle();
    expect(put).toEqual([]);
    asked[0]!();
    await connector.drain();
    expect(put).toEqual(upTo(10));
    expect(asked).toHaveLength(2);
  });

  test('passes over nothing where the target is found behind amid a batch', async () => {
    const log = await logWith(events);
    await send(log, 0, 10);
    const stored = upTo(10);
    const before = connected(log, { put: () => {} });
    await before.drain();
    await before.close(); // the group has committed 10
    stored.length = 4; // and the target was restored from a copy
    const asked: ((position: number) => void)[] = [];
    const sink = {
      position: () => new Promise<number>((resolve) => void asked.push(resolve)),
      put: ({ from, records }: SinkBatch) => {
        expect(from).toBe(stored.length);
        stored.push(...records.map(({ value }) => value as number));
      },
    };
    await send(log, 10, 12);
    connected(log, sink);
    // As the partition is assigned, and with the batch of what the group has not committed.
    await eventually(() => asked.length === 2);
    asked[0]!(4);
    await settle();
    asked[1]!(4);
    await eventually(() => stored.length >= 12);
    expect(stored).toEqual(upTo(12));
  });

  test('of a topic that does not exist fails', async () => {
    const log = await logWith(events);
    const connector = connected(log, sinkTo(new FakeTarget()), { topics: ['evnets'] });
    await eventually(async () => (await connector.status()).state === 'failed');
    expect((await connector.status()).error?.message).toMatch(/UNKNOWN_TOPIC.*evnets/);
  });

  test('of a target that goes beyond the log fails', async () => {
    const log = await logWith(events);
    await send(log, 0, 3);
    const connector = connected(log, { put: () => 1_000_000 });
    await eventually(async () => (await connector.status()).state === 'failed');
    expect((await connector.status()).error?.message).toMatch(
      /up to 1000000, and the log ends at 3/,
    );
  });

  test('of a target that is ahead of the group sends nothing that it has', async () => {
    const log = await logWith(events);
    await send(log, 0, 10);
    const target = new FakeTarget();
    const [source] = await sourceOf(log, target);
    target.positions.set(source!, 7);
    target.stored.set(source!, []);
    const connector = connected(log, sinkTo(target));
    await connector.drain();
    expect(target.values).toEqual([7, 8, 9]);
  });

  test('of a log that has lost what the target has fails, and says what to do', async () => {
    const log = await logWith(events);
    await send(log, 0, 10);
    const target = new FakeTarget();
    const [source] = await sourceOf(log, target);
    target.positions.set(source!, 70);
    const connector = connected(log, sinkTo(target));
    await eventually(async () => (await connector.status()).state === 'failed');
    const { error } = await connector.status();
    expect(error?.kind).toBe('fatal');
    expect(error?.message).toMatch(/up to 70, and the log ends at 10.*Create the topic anew/);
    expect(target.values).toEqual([]);
  });

  test('of a log that began again at offset 0 drops nothing', async () => {
    const target = new FakeTarget();
    for (let life = 0; life < 2; life++) {
      const log = await openLog('shop', { host: memoryHost() });
      await log.admin.createTopics([events]);
      await send(log, 0, 5);
      const connector = connected(log, sinkTo(target));
      await connector.drain();
      await connector.close();
      await log.close();
    }
    expect(target.values).toEqual([...upTo(5), ...upTo(5)]);
    expect(target.positions.size).toBe(2);
  });

  test('of a topic that was deleted and created again drops nothing', async () => {
    const log = await logWith(events);
    const target = new FakeTarget();
    for (let life = 0; life < 2; life++) {
      await send(log, 0, 5);
      const connector = connected(log, sinkTo(target));
      await connector.drain();
      await connector.close();
      await log.admin.deleteTopics([events]);
      await log.admin.createTopics([events]);
    }
    expect(target.values).toEqual([...upTo(5), ...upTo(5)]);
  });

  test('tells that records are gone that the target has not: it goes on behind them', async () => {
    const log = await logWith(events);
    await send(log, 0, 10);
    const target = new FakeTarget();
    const [source] = await sourceOf(log, target);
    target.positions.set(source!, 2);
    target.stored.set(source!, []);
    await log.admin.deleteRecords([{ topic: events, partition: 0, before: 5 }]);
    const connector = connected(log, sinkTo(target));
    await connector.drain();
    expect(target.values).toEqual([5, 6, 7, 8, 9]);
    expect(target.requests.at(-1)).toBe('POST 2-10');
  });

  test('in two tabs shares the partitions, and one takes over when the other goes', async () => {
    const many = topic('events', { value: json<number>(), partitions: 4 });
    const [first, second] = await openTwoTabs(many);
    const target = new FakeTarget();
    const one = connected(first, sinkTo(target));
    const other = connected(second, sinkTo(target));
    await eventually(async () => {
      const shares = await Promise.all([one.status(), other.status()]);
      return shares.every(({ partitions }) => partitions.length === 2);
    });
    const producer = first.producer();
    const sendAll = (value: number): Promise<unknown> =>
      Promise.all([0, 1, 2, 3].map((partition) => producer.send(many, { partition, value })));
    await sendAll(1);
    await other.drain();
    await one.close();
    await sendAll(2);
    await other.drain();
    expect(target.stored.size).toBe(4);
    for (const records of target.stored.values()) {
      expect(records.map(({ value }) => value)).toEqual([1, 2]);
    }
    expect(await listConnectors(second)).toEqual(['server']);
    const [described] = await describeConnectors(second, ['server']);
    expect(described!.members).toHaveLength(1);
    expect(described!.partitions.map(({ lag }) => lag)).toEqual([0, 0, 0, 0]);
  });

  test('pauses and resumes', async () => {
    const log = await logWith(events);
    const target = new FakeTarget();
    const connector = connected(log, sinkTo(target));
    await eventually(async () => (await connector.status()).state === 'running');
    connector.pause();
    await send(log, 0, 3);
    const { state, partitions } = await connector.status();
    expect([state, partitions[0]!.lag]).toEqual(['paused', 3]);
    expect(target.requests).toEqual(['GET']);
    connector.resume();
    await connector.drain();
    expect(target.values).toEqual(upTo(3));
  });

  test('of a name that another has for other topics fails, and says so', async () => {
    const [first, second] = await openTwoTabs(events, 'others');
    connected(first, sinkTo(new FakeTarget()));
    await eventually(async () => (await listConnectors(first)).length === 1);
    const connector = connected(second, sinkTo(new FakeTarget()), { topics: ['others'] });
    await eventually(async () => (await connector.status()).state === 'failed');
    const { error } = await connector.status();
    expect(error?.message).toMatch(/'server' of events is running, and this one is of others/);
  });

  test('drain() rejects with what has failed, and an event lasts as long', async () => {
    const log = await logWith(events);
    await send(log, 0, 3);
    const target = new FakeTarget();
    target.faults.push('requestLost', 'requestLost', 'requestLost');
    const connector = connected(log, sinkTo(target));
    const waited: Promise<unknown>[] = [];
    const drained = connector.drain({ waitUntil: (promise) => void waited.push(promise) });
    await expect(drained).rejects.toMatchObject({ kind: 'retry', message: /no answer/ });
    expect(waited).toEqual([drained]);
    await eventually(() => target.values.length === 3);
  });
});

/** The id of the partition's source, as the target gets it. */
async function sourceOf(log: Log, target: FakeTarget): Promise<string[]> {
  const [message] = await readAll(log, events);
  const id = `server/${message!.id.slice(0, -'-0-0'.length)}/0`;
  target.positions.delete(id);
  return [id];
}

describe('a target that refuses', () => {
  /** A sink that refuses the odd numbers, and says which where it is to. */
  function refusing(puts: SinkBatch[], says: boolean) {
    return {
      put(batch: SinkBatch): void {
        puts.push(batch);
        const odd = batch.records.find(({ value }) => (value as number) % 2 === 1);
        if (odd === undefined) return;
        throw new SinkError('refused', 'it is odd', says ? { offset: odd.offset } : {});
      },
    };
  }

  const stored = (puts: readonly SinkBatch[]): unknown[] =>
    puts
      .filter(({ records }) => records.every(({ value }) => (value as number) % 2 === 0))
      .flatMap(({ records }) => records.map(({ value }) => value));

  test.each([true, false])(
    'a record: it is a dead letter, the others go on (says which: %s)',
    async (says) => {
      const letters = topic('letters', { value: json<number>() });
      const log = await logWith(events, letters);
      await send(log, 0, 20);
      const puts: SinkBatch[] = [];
      const connector = connected(log, refusing(puts, says), { deadLetterTopic: letters });
      await connector.drain();
      const even = upTo(20).filter((value) => value % 2 === 0);
      expect(stored(puts)).toEqual(even);
      const dead = await readAll(log, letters);
      expect(dead.map(({ value }) => value)).toEqual(upTo(20).filter((value) => value % 2 === 1));
      const text = (name: string): string =>
        new TextDecoder().decode(new Map(dead[0]!.headers).get(name)!);
      expect(
        ['topic', 'partition', 'offset', 'error'].map((name) => text(`tablog.${name}`)),
      ).toEqual(['events', '0', '1', 'it is odd']);
    },
  );

  test('a record is skipped where the user says so', async () => {
    const log = await logWith(events);
    await send(log, 0, 6);
    const puts: SinkBatch[] = [];
    const connector = connected(log, refusing(puts, false), { onRefused: 'skip' });
    await connector.drain();
    expect(stored(puts)).toEqual([0, 2, 4]);
  });

  test('a record stops the connector by default, until it is started again', async () => {
    const log = await logWith(events);
    await send(log, 0, 4);
    let refuses = true;
    const seen: unknown[] = [];
    const sink = {
      put({ records }: SinkBatch): void {
        if (refuses && records.some(({ value }) => value === 2)) {
          throw new SinkError('refused', 'no 2');
        }
        seen.push(...records.map(({ value }) => value));
      },
    };
    const connector = connected(log, sink);
    await eventually(async () => (await connector.status()).state === 'failed');
    const { error } = await connector.status();
    expect(error?.message).toBe('the target refuses offset 2 of events 0: no 2');
    refuses = false;
    await connector.restart();
    await connector.drain();
    // Without a position the batch comes again as a whole: each at least once, in order.
    expect(seen).toEqual([0, 1, 0, 1, 2, 3]);
  });

  test('a record that nobody can decode: it is a dead letter, byte for byte', async () => {
    const log = await logWith(events, 'letters');
    await log.producer().send('events', { value: 'no JSON' });
    await send(log, 0, 2);
    const target = new FakeTarget();
    const connector = connected(log, sinkTo(target), { deadLetterTopic: 'letters' });
    await connector.drain();
    expect(target.values).toEqual([0, 1]);
    const [letter] = await readAll(log, 'letters');
    expect(new TextDecoder().decode(letter!.value!)).toBe('no JSON');
  });

  test('users who are not signed in: the connector waits, and says so', async () => {
    const log = await logWith(events);
    await send(log, 0, 3);
    const target = new FakeTarget();
    let user: string | undefined;
    const auth = ({ log: name }: { log: string }): Record<string, string> | null =>
      user === name ? { authorization: 'Bearer x' } : null;
    const connector = connected(log, sinkTo(target, { auth }), {
      backoffMs: 3_600_000,
      maxBackoffMs: 3_600_000,
    });
    await eventually(async () => (await connector.status()).state === 'unauthorized');
    expect((await connector.status()).error?.message).toMatch(/nobody is signed in for the log/);
    expect(target.requests).toEqual([]);
    user = 'somebody else';
    connector.wake();
    await eventually(async () => (await connector.status()).state === 'unauthorized');
    expect(target.requests).toEqual([]);
    user = log.name;
    connector.wake();
    await eventually(() => target.values.length === 3);
  });
});

test('a target that refuses a range without records is asked again after a wait', async () => {
  const log = await logWith(events);
  await send(log, 0, 3);
  let puts = 0;
  const sink = {
    position: () => null,
    put: () => {
      puts++;
      throw new SinkError('refused', 'no');
    },
  };
  const options = { transform: () => undefined, backoffMs: 3_600_000, maxBackoffMs: 3_600_000 };
  const connector = connected(log, sink, options);
  await eventually(async () => (await connector.status()).state === 'backingOff');
  expect(puts).toBe(1);
});

describe('a transform', () => {
  test('that makes several records of one gives each an id of its own', async () => {
    const log = await logWith(events);
    await send(log, 0, 1);
    const target = new FakeTarget();
    const connector = connected(log, sinkTo(target), { transform: (record) => [record, record] });
    await connector.drain();
    const [first, second] = [...target.stored.values()].flat();
    expect(second!.id).toBe(`${first!.id}.1`);
  });

  test.each<[string, Transform]>([
    ['a promise', (async (record: unknown) => record) as never],
    ['the value alone', ({ value }) => value as never],
  ])('that returns %s is told what it has to return', async (_, transform) => {
    const log = await logWith(events);
    await send(log, 0, 3);
    const target = new FakeTarget();
    const connector = connected(log, sinkTo(target), { transform });
    await eventually(async () => (await connector.status()).state === 'failed');
    expect((await connector.status()).error?.message).toMatch(
      /returns records with the id and offset/,
    );
    expect(target.values).toEqual([]);
  });

  test('that throws for a record makes it a dead letter, and the others go on', async () => {
    const letters = topic('letters', { value: json<number>() });
    const log = await logWith(events, letters);
    await send(log, 0, 5);
    const target = new FakeTarget();
    const connector = connected(log, sinkTo(target), {
      deadLetterTopic: letters,
      transform: (record) => {
        if (record.value === 2) throw new Error('two');
        return record;
      },
    });
    await connector.drain();
    expect(target.values).toEqual([0, 1, 3, 4]);
    expect((await readAll(log, letters)).map(({ value }) => value)).toEqual([2]);
  });

  test('that throws stops the connector, and nothing is left out', async () => {
    const log = await logWith(events);
    await send(log, 0, 3);
    const target = new FakeTarget();
    const connector = connected(log, sinkTo(target), {
      transform: () => {
        throw new Error('no such field');
      },
    });
    await eventually(async () => (await connector.status()).state === 'failed');
    expect((await connector.status()).error?.message).toBe(
      'the target refuses offset 0 of events 0: a transform failed: no such field',
    );
    expect(target.values).toEqual([]);
  });

  test('that leaves all out moves the target on', async () => {
    const log = await logWith(events);
    await send(log, 0, 3);
    const target = new FakeTarget();
    const connector = connected(log, sinkTo(target), { transform: () => undefined });
    await connector.drain();
    expect(target.values).toEqual([]);
    expect([...target.positions.values()]).toEqual([3]);
  });
});

describe('what connect() does not take', () => {
  const sink = { put: () => {} };
  test.each<[string, object, RegExp]>([
    ['no name', { topics: ['t'], sink }, /connect\(\) needs name/],
    ['no sink', { name: 'n', topics: ['t'] }, /connect\(\) needs sink/],
    [
      'a sink without put',
      { name: 'n', topics: ['t'], sink: {} },
      /sink must have the methods put/,
    ],
    ['a name with a blank', { name: 'a b', topics: ['t'], sink }, /group name must be/],
    [
      'an option that there is not',
      { name: 'n', topics: ['t'], sink, topic: 't' },
      /no option "topic"/,
    ],
    [
      'a transform that is none',
      { name: 'n', topics: ['t'], sink, transform: 'x' },
      /must be a function/,
    ],
    [
      'dead letters without a topic',
      { name: 'n', topics: ['t'], sink, onRefused: 'deadLetter' },
      /needs a deadLetterTopic/,
    ],
    [
      'dead letters among the topics',
      { name: 'n', topics: ['t'], sink, deadLetterTopic: 't' },
      /must not be one of/,
    ],
    [
      'dead letters that match',
      { name: 'n', topics: [/^t/], sink, deadLetterTopic: 'two' },
      /must not be one of/,
    ],
    [
      'waits that are above their bound',
      { name: 'n', topics: ['t'], sink, backoffMs: 5, maxBackoffMs: 1 },
      /must not be above/,
    ],
    ['no topics', { name: 'n', topics: [], sink }, /at least one topic/],
  ])('%s', async (_, options, message) => {
    const log = await logWith('t');
    expect(() => connect(log, options as ConnectOptions)).toThrow(message);
  });

  test('a status listener that throws ends nothing', async () => {
    const reported = vi.fn();
    vi.stubGlobal('reportError', reported);
    try {
      const log = await logWith(events);
      await send(log, 0, 3);
      const target = new FakeTarget();
      const connector = connected(log, sinkTo(target), {
        onStatus: () => {
          throw new Error('mine');
        },
      });
      await connector.drain();
      expect(target.values).toEqual(upTo(3));
      expect(reported).toHaveBeenCalled();
      await connector.close();
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
