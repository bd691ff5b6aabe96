import { getEventListeners } from 'node:events';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { deleteLog, string, topic } from '../../../src/index.ts';
import type { EncodeContext, Log, Serde } from '../../../src/index.ts';
import { loadParts } from '../../support/load-parts.ts';
import {
  countOf,
  logWith,
  memoryHost,
  openTab,
  readAll,
  texts,
} from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { StubRegistry, needing } from '../../support/stub-registry.ts';
import { settle } from '../../support/waiting.ts';
import { openTabWith } from '../../support/world.ts';

const other = topic('other', { value: string() });

/** A log with the topics 't', whose values need the registry, and 'other'. */
async function logOf(registry: StubRegistry): Promise<{ log: Log; t: Typed; clock: ManualClock }> {
  await loadParts();
  const t = typed(registry);
  const host = memoryHost();
  const admin = await openTab(host);
  await admin.admin.createTopics([t, other]);
  const clock = new ManualClock();
  return { log: openTabWith(clock, host, admin.name), t, clock };
}

type Typed = ReturnType<typeof typed>;

function typed(registry: StubRegistry) {
  return topic('t', { value: needing(registry) });
}

async function stored(log: Log, name = 't'): Promise<(string | null)[]> {
  return texts(await readAll(log, name));
}

/** What a promise has come to so far. */
function watched<T>(promise: Promise<T>): { result: T | undefined; error: unknown } {
  const state: { result: T | undefined; error: unknown } = { result: undefined, error: undefined };
  promise.then(
    (result) => (state.result = result),
    (error: unknown) => (state.error = error),
  );
  return state;
}

describe('a record whose serde waits', () => {
  test('keeps its place among the records of its topic, and holds up no other topic', async () => {
    const registry = new StubRegistry('a');
    const { log, t } = await logOf(registry);
    const producer = log.producer();
    const sent = [
      producer.send(t, { value: 'a:0' }),
      producer.send(t, { value: 'b:1' }),
      producer.send(t, { value: 'a:2' }),
      producer.sendBatch(t, [{ value: 'a:3' }, { value: 'c:4' }]),
      producer.send('t', { value: 'a:5' }),
    ];
    await producer.send(other, { value: 'o' });
    expect(await stored(log)).toEqual(['a:0']);
    registry.publish('c');
    await settle();
    expect(await countOf(log, 't')).toBe(1);
    registry.publish('b');
    const places = await Promise.all(sent);
    expect(places.flat().map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await stored(log)).toEqual(['a:0', 'b:1', 'a:2', 'a:3', 'c:4', 'a:5']);
    expect(registry.asked).toEqual(['b', 'c']);
    await producer.send(t, { value: 'b:6' });
    expect(registry.asked).toHaveLength(2);
  });

  test('has the timestamp of the call, and the bytes that are behind it are those of the call', async () => {
    const registry = new StubRegistry();
    const { log, t, clock } = await logOf(registry);
    const producer = log.producer();
    const first = producer.send(t, { value: 'a:0' });
    const bytes = new TextEncoder().encode('mine');
    const second = producer.send('t', { value: bytes });
    bytes.fill(0);
    const at = clock.now();
    clock.advance(1000);
    registry.publish('a');
    await Promise.all([first, second]);
    const messages = await readAll(log, 't');
    expect(messages.map(({ timestamp }) => timestamp)).toEqual([at, at]);
    expect(texts(messages)).toEqual(['a:0', 'mine']);
  });

  test('rejects alone, with SERDE and its cause, where that fails; those behind it are stored', async () => {
    const registry = new StubRegistry('a');
    const { log, t } = await logOf(registry);
    const producer = log.producer();
    const failing = producer.send(t, { value: 'b:0' });
    const batch = producer.sendBatch(t, [{ value: 'a:1' }, { value: 'b:2' }, { value: 'a:3' }]);
    const next = producer.send(t, { value: 'a:4' });
    const cause = new TypeError('Failed to fetch');
    registry.fail('b', cause);
    await expect(failing).rejects.toMatchObject({
      code: 'SERDE',
      outcome: 'refused',
      cause,
      details: { topic: 't', field: 'value' },
      message: expect.stringMatching(
        /value of a record for 't' cannot be encoded.*Failed to fetch\. Nothing was stored/,
      ) as string,
    });
    await expect(batch).rejects.toMatchObject({ code: 'SERDE', cause });
    expect(await next).toMatchObject({ offset: 0 });
    expect(await stored(log)).toEqual(['a:4']);
  });

  test('that cannot be encoded after all rejects with that', async () => {
    const { log } = await logOf(new StubRegistry());
    let isReady = false;
    const value: Serde<string> = {
      encode(_, context) {
        if (isReady) throw new RangeError('far');
        isReady = true;
        return context.waitFor(Promise.resolve());
      },
      decode: () => '',
    };
    const sent = log.producer().send(topic('t', { value }), { value: 'v' });
    const error = (await sent.catch((thrown: unknown) => thrown)) as Error;
    expect(error.constructor).toBe(RangeError);
    expect(error.message).toMatch(/^the value of a record for 't' cannot be encoded: far/);
  });

  test('is given up after deliveryTimeoutMs, or as one that waits for ever', async () => {
    const registry = new StubRegistry();
    const { log, t, clock } = await logOf(registry);
    const producer = log.producer({ deliveryTimeoutMs: 30_000 });
    const late = watched(producer.send(t, { value: 'a:0' }));
    await settle();
    clock.advance(29_000);
    await settle();
    expect(late.error).toBeUndefined();
    clock.advance(2_000);
    await settle();
    expect(late.error).toMatchObject({
      code: 'SERDE',
      message: expect.stringMatching(/30000 ms/) as string,
    });
    registry.publish('a'); // too late
    let calls = 0;
    const endless = (_: string, context: EncodeContext): never => {
      calls++;
      return context.waitFor(Promise.resolve());
    };
    const value = { encode: endless, decode: () => '' };
    const sent = producer.send(topic('t', { value }), { value: 'v' });
    await expect(sent).rejects.toMatchObject({
      code: 'SERDE',
      message: expect.stringMatching(/called waitFor\(\) 100 times/) as string,
    });
    expect(calls).toBe(100);
    expect(await countOf(log, 't')).toBe(0);
    const timers = clock.timers;
    await producer.close();
    expect(clock.timers).toBeLessThanOrEqual(timers);
  });

  test('is waited for by flush() and close()', async () => {
    const registry = new StubRegistry();
    const { log, t } = await logOf(registry);
    const producer = log.producer({ lingerMs: 60_000 });
    const first = watched(producer.send(t, { value: 'a:0' }));
    const flushed = watched(producer.flush().then(() => 'flushed'));
    await settle();
    expect(flushed.result).toBeUndefined();
    registry.publish('a');
    await settle();
    expect([first.result, flushed.result]).toMatchObject([{ offset: 0 }, 'flushed']);
    const last = watched(producer.send(t, { value: 'b:1' }));
    const closing = producer.close();
    await expect(producer.send(t, { value: 'a:2' })).rejects.toMatchObject({ code: 'CLOSED' });
    registry.publish('b');
    await closing;
    expect(last.result).toMatchObject({ offset: 1 });
  });

  test('that a signal withdraws rejects with its reason, and those behind it go on', async () => {
    const registry = new StubRegistry('a');
    const { log, t } = await logOf(registry);
    const producer = log.producer();
    const withdrawing = new AbortController();
    const { signal } = withdrawing;
    const first = producer.send(t, { value: 'b:0' }, { signal });
    const second = producer.send(t, { value: 'a:1' });
    const third = producer.send(t, { value: 'a:2' }, { signal });
    withdrawing.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    await expect(third).rejects.toThrow('enough');
    expect(await second).toMatchObject({ offset: 0 });
    registry.publish('b');
    await settle();
    expect(await stored(log)).toEqual(['a:1']);
    const gone = producer.send(t, { value: 'c:0' }, { signal });
    await expect(gone).rejects.toThrow('enough');
  });

  test('settles when the log is deleted', async () => {
    await loadParts();
    const registry = new StubRegistry();
    const t = typed(registry);
    const host = memoryHost();
    const log = await openTab(host);
    await log.admin.createTopics([t]);
    const sent = log.producer().send(t, { value: 'a:0' });
    const behind = log.producer().send(t, { value: 'a:1' });
    const settled = Promise.allSettled([sent, behind]);
    await deleteLog(log.name, { host });
    const reason = { code: 'CLOSED', details: { reason: 'deleted' } };
    expect(await settled).toMatchObject([{ reason }, { reason }]);
  });

  test('may send a record itself while it encodes', async () => {
    const log = await logWith('schemas', 't');
    const producer = log.producer();
    const known = new Set<string>();
    const registering: Serde<string> = {
      encode(value, context) {
        context.setHeader('schema', value);
        if (known.has(value)) return value;
        const register = async (): Promise<void> => {
          await producer.send('schemas', { key: 'k', value, headers: { own: 'x' } });
          known.add(value);
        };
        return context.waitFor(register());
      },
      decode: (bytes) => new TextDecoder().decode(bytes),
    };
    const t = topic('t', { key: registering, value: registering });
    await producer.send(t, { key: 'a', value: 'b' });
    const [message] = await readAll(log, t);
    expect([message!.key, message!.value, message!.header('schema')]).toEqual(['a', 'b', 'b']);
    const schemas = await readAll(log, 'schemas');
    expect(texts(schemas)).toEqual(['a', 'b']);
    expect(schemas.map(({ headers }) => headers.map(([name]) => name))).toEqual([['own'], ['own']]);
  });
});

describe('the context of encode', () => {
  /** Encodes, and tells what context it had. */
  function telling(seen: unknown[], each: (context: EncodeContext) => void = () => {}) {
    const serde: Serde<string> = {
      encode(value, context) {
        const { topic: name, field, headers } = context;
        seen.push([name, field, headers.map(([header]) => header)]);
        each(context);
        return value;
      },
      decode: (bytes) => new TextDecoder().decode(bytes),
    };
    return topic('t', { key: serde, value: serde });
  }

  test('has the topic, the field and the headers', async () => {
    const log = await logWith('t');
    const seen: unknown[] = [];
    const t = telling(seen);
    const producer = log.producer();
    await producer.send(t, { key: 'k', value: 'v', headers: { a: 'x', b: null } });
    await producer.send(t, { value: 'v', headers: [['c', 'x']] });
    await producer.send(t, { key: 'k', value: null });
    expect(seen).toEqual([
      ['t', 'key', ['a', 'b']],
      ['t', 'value', ['a', 'b']],
      ['t', 'value', ['c']],
      ['t', 'key', []],
    ]);
  });

  test('sets headers, in place of those of the same name, which the value sees too', async () => {
    const log = await logWith('t');
    const seen: unknown[] = [];
    const given = [
      ['a', 'old'],
      ['b', 'x'],
      ['a', 'older'],
    ] as const;
    const t = telling(seen, (context) => {
      if (context.field === 'key') context.setHeader('a', Uint8Array.of(1, 2));
      else context.setHeader('c', null);
    });
    await log.producer().send(t, { key: 'k', value: 'v', headers: given });
    await log.producer().send(t, { key: 'k', value: 'v' });
    const [message, plain] = await readAll(log, t);
    const text = new TextEncoder().encode('x');
    expect(message!.headers).toEqual([
      ['b', text],
      ['a', Uint8Array.of(1, 2)],
      ['c', null],
    ]);
    expect(plain!.headers).toEqual([
      ['a', Uint8Array.of(1, 2)],
      ['c', null],
    ]);
    expect(seen[1]).toEqual(['t', 'value', ['b', 'a']]);
    expect(given).toHaveLength(3); // what the application gave is as it was
  });

  test.each<[string, (context: EncodeContext) => void, RegExp]>([
    ['a name', (context) => context.setHeader(5 as never, 'x'), /a pair of name and value/],
    ['a value', (context) => context.setHeader('a', 5 as never), /header "a" must be/],
    ['a promise', (context) => context.waitFor(5 as never), /waitFor\(\) takes a promise/],
  ])('refuses what is not %s', async (_, each, rule) => {
    const log = await logWith('t');
    const t = telling([], each);
    await expect(log.producer().send(t, { value: 'v' })).rejects.toThrow(rule);
    await expect(log.producer().send(t, { value: 'v' })).rejects.toThrow(TypeError);
  });

  test('of headers that are wrong, or of a record that fails, does not outlive its record', async () => {
    const log = await logWith('t');
    const seen: unknown[] = [];
    const t = telling(seen, (context) => {
      context.setHeader('a', 'x');
      if (seen.length === 1) throw new Error('the first one fails');
    });
    const producer = log.producer();
    await expect(producer.send(t, { value: 'v', headers: { h: 'y' } })).rejects.toThrow('fails');
    await producer.send(t, { value: 'v' });
    await producer.send('t', { value: 'v' });
    const headers = (await readAll(log, 't')).map((message) =>
      message.headers.map(([name]) => name),
    );
    expect(headers).toEqual([['a'], []]);
    const wrong = { value: 'v', headers: { a: 5 } } as never;
    await expect(producer.send(t, wrong)).rejects.toThrow(/header "a" must be/);
  });
});

test('a withdrawn record whose serde never settles leaves no timer', async () => {
  const { log, t, clock } = await logOf(new StubRegistry('known'));
  const producer = log.producer();
  await producer.send(t, { value: 'known:0' }); // the log is open by then
  const { timers } = clock;
  const ending = new AbortController();
  const sent = producer.send(t, { value: 'never:0' }, { signal: ending.signal });
  sent.catch(() => {});
  await settle();
  expect(clock.timers).toBeGreaterThan(timers);
  ending.abort(new Error('no longer wanted'));
  await expect(sent).rejects.toThrow('no longer wanted');
  await producer.close();
  expect(clock.timers).toBeLessThanOrEqual(timers);
});

test('producers whose serdes waited leave no listener on the connection', async () => {
  const registry = new StubRegistry();
  const { log, t } = await logOf(registry);
  const added = vi.spyOn(AbortSignal.prototype, 'addEventListener');
  onTestFinished(() => added.mockRestore());
  for (let i = 0; i < 20; i++) {
    const producer = log.producer({ lingerMs: 0 });
    const sent = producer.send(t, { value: `schema-${i}:x` });
    await settle();
    registry.publish(`schema-${i}`);
    await sent;
    await producer.close();
  }
  const counts = [...new Set(added.mock.contexts as AbortSignal[])].map(
    (signal) => getEventListeners(signal, 'abort').length,
  );
  expect(Math.max(...counts)).toBeLessThan(10);
});
