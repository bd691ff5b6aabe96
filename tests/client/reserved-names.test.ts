import { describe, expect, test } from 'vitest';
import { deleteLog, json, string, topic } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';
import { logWith, memoryHost, openTab, take } from '../support/log-fixture.ts';

/** Names that every object of JavaScript has, or that change its prototype where they are assigned. */
const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'then',
] as const;

/** An object with a property of its own of each name, as `JSON.parse` makes them. */
function having<T>(value: T): Record<string, T> {
  return Object.fromEntries(NAMES.map((name) => [name, value]));
}

function expectCleanPrototypes(): void {
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  expect(Object.getPrototypeOf({})).toBe(Object.prototype);
}

const text = topic('text', { key: string(), value: string() });

describe('as headers', () => {
  test.each([
    ['an object', having('of a header')],
    ['pairs', NAMES.map((name) => [name, 'of a header'] as const)],
  ])('they come as they were sent: %s', async (_, headers) => {
    const log = await logWith(text);
    await log.producer().send(text, { key: '__proto__', value: 'constructor', headers });
    const [message] = await take(log.consumer({ topics: [text], from: 'earliest' }), 1);
    expect(message!.headers.map(([name]) => name)).toEqual(NAMES);
    for (const name of NAMES) expect(message!.header(name)).toBe('of a header');
    expect(message!.header('isPrototypeOf')).toBeUndefined();
    expectCleanPrototypes();
  });

  test('they are pairs in JSON and in copies, and never keys', async () => {
    const log = await logWith(text);
    await log.producer().send(text, { value: 'v', headers: having('{"polluted":true}') });
    const [message] = await take(log.consumer({ topics: [text], from: 'earliest' }), 1);
    const pairs = NAMES.map((name) => [name, '{"polluted":true}']);
    const read = JSON.parse(JSON.stringify(message)) as { headers: unknown };
    expect(read.headers).toEqual(pairs);
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
    const copy = structuredClone(message)!;
    expect(copy.headers.map(([name]) => name)).toEqual(NAMES);
    expectCleanPrototypes();
  });
});

test('as keys of a value of JSON they are its own, and change no prototype', async () => {
  const values = topic('values', { value: json<Record<string, unknown>>() });
  const log = await logWith(values);
  await log.producer().send(values, { value: having({ polluted: true }) });
  const [message] = await take(log.consumer({ topics: [values], from: 'earliest' }), 1);
  expect(Object.keys(message!.value!)).toEqual(NAMES);
  expect(Object.getPrototypeOf(message!.value)).toBe(Object.prototype);
  expectCleanPrototypes();
});

describe('as options', () => {
  const own = (name: string): object =>
    JSON.parse(`{${JSON.stringify(name)}:{"polluted":true}}`) as object;

  test.each(NAMES)('%s is one that does not exist', async (name) => {
    const log = await logWith(text);
    const unknown = new RegExp(`no (option|field) "${name}"`);
    expect(() => topic('orders', own(name))).toThrow(unknown);
    expect(() => log.producer(own(name))).toThrow(unknown);
    expect(() => log.consumer({ topics: [text], ...own(name) })).toThrow(unknown);
    const altered = [{ topic: text, config: own(name) }];
    await expect(log.admin.alterTopics(altered)).rejects.toThrow(unknown);
    await expect(log.admin.createTopics([text], own(name))).rejects.toThrow(unknown);
    await expect(log.producer().send(text, { value: 'v', ...own(name) })).rejects.toThrow(unknown);
    expectCleanPrototypes();
  });
});

describe('as names', () => {
  /** A topic, a group and a member of this name, used together. */
  async function useName(log: Log, name: string): Promise<string | null | undefined> {
    const named = topic(name, { key: string(), value: string() });
    await log.admin.createTopics([named]);
    await log.producer().send(named, { key: name, value: `the value of ${name}` });
    const consumer = log.consumer({
      topics: [named],
      group: name,
      memberId: name,
      from: 'earliest',
    });
    const [message] = await take(consumer, 1);
    await message!.commit();
    await consumer.close();
    return message!.value;
  }

  test('topics, groups and members have any of them', async () => {
    const log = await openTab();
    for (const name of NAMES) expect(await useName(log, name)).toBe(`the value of ${name}`);
    const topics = await log.admin.listTopics();
    expect(topics.map(({ name }) => name).sort()).toEqual([...NAMES].sort());
    const groups = await log.admin.listGroups();
    expect(groups.map(({ group }) => group).sort()).toEqual([...NAMES].sort());
    for (const name of NAMES) {
      const [{ members }] = await log.admin.describeGroups([name]);
      expect(members).toEqual([]);
      expect(await log.admin.listGroupOffsets(name)).toMatchObject([{ topic: name, offset: 1 }]);
    }
    await log.admin.deleteGroups(NAMES);
    await log.admin.deleteTopics(NAMES);
    expect(await log.admin.listTopics()).toEqual([]);
    await expect(log.admin.describeTopics(['__proto__'])).rejects.toThrow(/UNKNOWN_TOPIC/);
    expectCleanPrototypes();
  });

  test('logs and transactional ids too', async () => {
    const host = memoryHost();
    for (const name of NAMES) {
      const log = await openTab(host, name);
      expect(await useName(log, name)).toBe(`the value of ${name}`);
      const producer = log.producer({ transactionalId: name });
      await producer.transaction((tx) => tx.send(name, { value: name }));
      await log.close();
      await deleteLog(name, { host });
    }
    expectCleanPrototypes();
  });
});
