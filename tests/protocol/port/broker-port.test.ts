import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { INTERNAL, PROTOCOL_MISMATCH, WORKER_LOST } from '../../../src/base/error-rules.ts';
import { TablogError, logDeleted } from '../../../src/base/error.ts';
import { PROTOCOL_VERSION } from '../../../src/protocol/broker.ts';
import type { Method, Request } from '../../../src/protocol/broker.ts';
import { BrokerPort } from '../../../src/protocol/port/broker-port.ts';
import { batch, found, valuesOf, want } from '../../support/broker-fixture.ts';
import { HELLO, METHODS, WELCOME, connect, connected } from '../endpoints.ts';
import { REQUESTS } from '../requests.ts';
import { World } from '../../support/world.ts';
import { eventually } from '../../support/waiting.ts';

describe('hello', () => {
  test('is answered with who serves', async () => {
    const { port, greeted } = connect();
    expect(await port.hello(HELLO)).toEqual(WELCOME);
    expect(greeted).toEqual([HELLO]);
  });

  test('of another protocol is PROTOCOL_MISMATCH, and nobody is let in', async () => {
    const { port, greeted } = connect({ listTopics: async () => [] });
    for (const protocol of [PROTOCOL_VERSION + 1, 0]) {
      await expect(port.hello({ ...HELLO, protocol })).rejects.toMatchObject({
        code: PROTOCOL_MISMATCH.code,
      });
    }
    expect(greeted).toEqual([]);
    await expect(port.call('listTopics', null)).rejects.toBeInstanceOf(TablogError);
  });

  test('comes before any other call', async () => {
    const listTopics = vi.fn(async () => []);
    const { port } = connect({ listTopics });
    await expect(port.call('listTopics', null)).rejects.toMatchObject({ code: INTERNAL.code });
    expect(listTopics).not.toHaveBeenCalled();
    await port.hello(HELLO);
    expect(await port.call('listTopics', null)).toEqual([]);
  });

  test('may come again: a tab that wakes up asks who is there', async () => {
    const { port } = await connected({ listTopics: async () => [] });
    expect(await port.hello(HELLO)).toEqual(WELCOME);
    expect(await port.call('listTopics', null)).toEqual([]);
  });
});

describe('hello of a client that had the log open before', () => {
  const deleted = logDeleted('shop');
  const opened = {
    logId: 'x',
    topics: [],
    topicsVersion: 0,
    lost: [],
    previousLogId: undefined,
    setAside: undefined,
  };

  test('lets no call through where the log is another one', async () => {
    const listTopics = vi.fn(async () => []);
    const openLog = vi.fn(async () => Promise.reject(deleted));
    const { port } = connect({ listTopics, openLog });
    await port.hello({ ...HELLO, logId: 'x', witness: 'seen' });
    const error = { code: 'CLOSED', details: { log: 'shop', reason: 'deleted' } };
    for (let i = 0; i < 2; i++) {
      await expect(port.call('listTopics', null)).rejects.toMatchObject(error);
    }
    expect(openLog).toHaveBeenCalledWith({ logId: 'x', witness: 'seen' });
    expect(listTopics).not.toHaveBeenCalled();
  });

  test('has the log checked once, and again after a check that failed', async () => {
    const openLog = vi.fn(async () => opened);
    openLog.mockRejectedValueOnce(new TablogError(INTERNAL, 'the database is away'));
    const { port } = connect({ listTopics: async () => [], openLog });
    await port.hello({ ...HELLO, logId: 'x' });
    await expect(port.call('listTopics', null)).rejects.toMatchObject({ code: INTERNAL.code });
    const calls = [port.call('listTopics', null), port.call('listTopics', null)];
    expect(await Promise.all(calls)).toEqual([[], []]);
    expect(await port.call('listTopics', null)).toEqual([]);
    expect(openLog).toHaveBeenCalledTimes(2);
  });

  test('costs a client that has had none nothing', async () => {
    const openLog = vi.fn(async () => opened);
    const { port } = await connected({ listTopics: async () => [], openLog });
    await port.call('listTopics', null);
    expect(openLog).not.toHaveBeenCalled();
  });
});

describe('a call', () => {
  test.each(METHODS)('%s passes its value and brings the answer', async (method) => {
    const request = (): unknown => structuredClone(REQUESTS[method]);
    const called = vi.fn(async () => (method === 'fetch' ? [] : { answered: method }));
    const { port } = await connected({ [method]: called });
    const answer = await port.call(method, request() as Request<Method>);
    expect(called).toHaveBeenCalledExactlyOnceWith(request());
    expect(answer).toEqual(method === 'fetch' ? [] : { answered: method });
  });

  test('gets its own answer, in whatever order answers come', async () => {
    const answers = new Map<string, () => void>();
    const deleteTopics = ([name]: readonly string[]): Promise<null> =>
      new Promise((resolve) => answers.set(name!, () => resolve(null)));
    const order: string[] = [];
    const { port } = await connected({ deleteTopics });
    const calls = ['a', 'b', 'c'].map((name) =>
      port.call('deleteTopics', [name]).then(() => order.push(name)),
    );
    await eventually(() => expect(answers.size).toBe(3));
    for (const name of ['c', 'a', 'b']) answers.get(name)!();
    await Promise.all(calls);
    expect(order).toEqual(['c', 'a', 'b']);
  });

  test('moves what is produced, and leaves the sender without it', async () => {
    let seen = 0;
    const { port } = await connected({
      produce: async ({ appends }) => {
        seen = appends[0]!.batch.byteLength;
        return [{ baseOffset: 0, appendTime: null }];
      },
    });
    const buffer = new ArrayBuffer(1_000);
    const appends = [{ topicId: 't', partition: 0, batch: buffer, compression: 'none' as const }];
    const answer = port.call('produce', { appends, durability: 'relaxed' });
    expect(buffer.byteLength).toBe(0);
    expect(await answer).toEqual([{ baseOffset: 0, appendTime: null }]);
    expect(seen).toBe(1_000);
  });

  test('moves what is fetched, and leaves the worker without it', async () => {
    const segments = [new ArrayBuffer(500), new ArrayBuffer(300)];
    const error = {
      code: 'UNKNOWN_TOPIC' as const,
      outcome: 'refused' as const,
      retriable: false,
      next: 'x.',
      happened: 'y',
      details: {},
    };
    const { port } = await connected({
      fetch: async () => [
        {
          topicId: 't',
          partition: 0,
          offset: 0,
          endOffset: 2,
          nextOffset: 2,
          segments,
          compressed: false,
        },
        { topicId: 't', partition: 1, offset: 0, error },
      ],
    });
    const request = { clientId: 'c', fetchId: 1, maxWaitMs: 0, partitions: [] };
    const [fetched, failed] = await port.call('fetch', request);
    expect(found(fetched).segments.map((buffer) => buffer.byteLength)).toEqual([500, 300]);
    expect(segments.map((buffer) => buffer.byteLength)).toEqual([0, 0]);
    expect(failed).toEqual({ topicId: 't', partition: 1, offset: 0, error });
  });

  test('that is given up rejects, and so do all others; late answers are ignored', async () => {
    const late = deferred<never[]>();
    const { port } = await connected({ listTopics: () => late.promise });
    const calls = [port.call('listTopics', null), port.call('listTopics', null)];
    const lost = new TablogError(WORKER_LOST, 'it is gone');
    port.giveUp(lost);
    for (const call of calls) await expect(call).rejects.toBe(lost);
    late.resolve([]);
    expect(await port.call('listTopics', null)).toEqual([]);
  });

  test('whose answer cannot be sent is an error and no silence', async () => {
    const listTopics = async (): Promise<never[]> => [() => {}] as unknown as never[];
    const { port } = await connected({ listTopics });
    await expect(port.call('listTopics', null)).rejects.toMatchObject({ code: INTERNAL.code });
  });

  test.each([
    null,
    undefined,
    0,
    'RAW',
    [],
    {},
    { type: 'RAW', value: { value: [] } },
    { id: '7', type: 'RAW', value: { value: [] } },
  ])('hears nothing in what is no answer to it: %j', async (data) => {
    const { port1, port2 } = new MessageChannel();
    onTestFinished(() => port1.close());
    const port = new BrokerPort(port1);
    const call = port.call('listTopics', null);
    port2.postMessage(data);
    port2.postMessage({ id: '1', type: 'RAW', value: { value: ['heard'] } });
    expect(await call).toEqual(['heard']);
  });

  test.each([null, undefined, 0, 'text', { error: null }, { error: undefined }])(
    'whose answer is malformed is an error and no silence: %j',
    async (value) => {
      const { port1, port2 } = new MessageChannel();
      onTestFinished(() => port1.close());
      const port = new BrokerPort(port1);
      const call = port.call('listTopics', null);
      port2.postMessage({ id: '1', type: 'RAW', value });
      await expect(call).rejects.toMatchObject({ code: INTERNAL.code });
    },
  );

  test('whose value cannot be sent rejects, and the next one works', async () => {
    const { port } = await connected({ deleteTopics: async () => null });
    await expect(port.call('deleteTopics', [(() => {}) as unknown as string])).rejects.toThrow();
    expect(await port.call('deleteTopics', ['a'])).toBeNull();
  });
});

test('a whole broker is served: what is produced through the port is fetched through it', async () => {
  const { port } = await connected(new World().broker().broker);
  const [topic] = await port.call('createTopics', [{ name: 'orders' }]);
  const append = {
    topicId: topic!.id,
    partition: 0,
    batch: batch('a', 'b'),
    compression: 'none' as const,
  };
  expect(await port.call('produce', { appends: [append], durability: 'relaxed' })).toEqual([
    { baseOffset: 0, appendTime: null },
  ]);
  for (let i = 0; i < 2; i++) {
    const request = { clientId: 'c', fetchId: i, maxWaitMs: 0, partitions: [want(topic!)] };
    const [fetched] = await port.call('fetch', request);
    expect(valuesOf(fetched)).toEqual(['a', 'b']);
  }
  await expect(port.call('describeTopics', ['none'])).rejects.toMatchObject({
    code: 'UNKNOWN_TOPIC',
  });
});
