import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { STORAGE_UNAVAILABLE } from '../../../src/base/error-rules.ts';
import { TablogError, openLog, topic } from '../../../src/index.ts';
import type { Log } from '../../../src/index.ts';
import { METADATA_MAX_AGE_MS } from '../../../src/client/topics/topic-metadata.ts';
import { PROTOCOL_VERSION } from '../../../src/protocol/broker.ts';
import { countOf, memoryHost, openTab, readAll, texts } from '../../support/log-fixture.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { stubHost } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { settle } from '../../support/waiting.ts';
import { openTabWith } from '../../support/world.ts';

let host: StubHost;
let clock: ManualClock;
let log: Log;
beforeEach(async () => {
  host = stubHost();
  clock = new ManualClock();
  log = openTabWith(clock, host);
  await log.admin.createTopics(['t']);
  await log.producer().send('t', { value: 'warm' });
  await settle(); // hints of the topic have been heard
});

/** How often topics were read. */
const reads = (): number => host.requests('listTopics').length;

/** Has topics read as last seen, and no more. */
function cut(): void {
  host.answer('listTopics', async () => {
    throw new TablogError(STORAGE_UNAVAILABLE, 'it is gone');
  });
}

test('the first send of a log that was just opened asks for no topics', async () => {
  const memory = memoryHost();
  const name = crypto.randomUUID();
  await (await openTab(memory, name)).admin.createTopics(['t']);
  const second = stubHost(memory);
  const opened = await openLog(name, { host: second });
  onTestFinished(() => opened.close());
  expect(second.requests('listTopics')).toHaveLength(0);
  expect(second.requests('openLog')).toHaveLength(1);
  const sent = opened.producer().send('t', { value: 'first' });
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  expect(second.requests('produce')).toHaveLength(1);
  await sent;
  expect(second.requests('listTopics')).toHaveLength(0);
});

test('what changes while a log is opened is not taken for known', async () => {
  const memory = memoryHost();
  const name = crypto.randomUUID();
  const first = await openTab(memory, name);
  await first.admin.createTopics(['t']);
  const second = stubHost(memory);
  const { promise: answered, resolve: answer } = deferred();
  second.answer('openLog', async (request, real) => {
    const opened = await real(request);
    await answered; // it is on its way for so long
    return opened;
  });
  const gate = second.hold('listTopics');
  const opening = openLog(name, { host: second });
  await settle();
  await first.admin.deleteTopics(['t']);
  await first.admin.createTopics(['t']); // another topic of the same name
  await settle();
  answer();
  const opened = await opening;
  onTestFinished(() => opened.close());
  // An append to the one that is gone would be refused.
  const sent = opened.producer().send('t', { value: 'new' });
  sent.catch(() => {});
  await settle();
  gate.open();
  await sent;
  expect(texts(await readAll(first, 't'))).toEqual(['new']);
});

test('a log opens, and is described, while another tab deletes its topics', async () => {
  const memory = memoryHost();
  const name = crypto.randomUUID();
  const first = await openTab(memory, name);
  await first.admin.createTopics(Array.from({ length: 20 }, (_, i) => `t${i}`));
  const opening = Promise.all(Array.from({ length: 20 }, () => openTab(memory, name)));
  const described = Promise.all(Array.from({ length: 20 }, () => first.admin.describeLog()));
  for (let i = 0; i < 20; i++) await first.admin.deleteTopics([`t${i}`]);
  expect(await opening).toHaveLength(20);
  expect(await described).toHaveLength(20);
});

describe('what is known only by its age to be old', () => {
  test('serves at once, and is read anew behind', async () => {
    const producer = log.producer();
    const before = reads();
    clock.advance(METADATA_MAX_AGE_MS);
    const gate = host.hold('listTopics');
    await producer.send('t', { value: 'a' });
    await gate.arrived(1);
    await producer.send('t', { value: 'b' });
    expect(reads()).toBe(before + 1);
    gate.open();
    await settle();
    await producer.send('t', { value: 'c' });
    expect(reads()).toBe(before + 1);
    expect(texts(await readAll(log, 't'))).toEqual(['warm', 'a', 'b', 'c']);
  });

  test('refuses nothing: a partition that came without a word of it is found', async () => {
    vi.stubGlobal('BroadcastChannel', undefined);
    onTestFinished(() => void vi.unstubAllGlobals());
    const other = openTabWith(clock, host, log.name);
    const deaf = openTabWith(clock, host, log.name);
    const producer = deaf.producer();
    await producer.send('t', { value: 'a' });
    await other.admin.createPartitions([{ topic: 't', partitions: 2 }]);
    await expect(producer.send('t', { value: 'b', partition: 1 })).rejects.toThrow(RangeError);
    clock.advance(METADATA_MAX_AGE_MS);
    expect(await producer.send('t', { value: 'b', partition: 1 })).toMatchObject({ partition: 1 });
  });

  test('serves though topics cannot be read', async () => {
    const producer = log.producer();
    cut();
    clock.advance(METADATA_MAX_AGE_MS);
    await producer.send('t', { value: 'a' });
    expect(await countOf(log, 't')).toBe(2);
  });
});

describe('what has changed', () => {
  test('is waited for: a topic that was deleted and made again is the new one', async () => {
    const producer = log.producer();
    await log.admin.deleteTopics(['t']);
    await log.admin.createTopics([topic('t', { partitions: 2 })]);
    await producer.send('t', { value: 'new', partition: 1 });
    expect(texts(await readAll(log, 't'))).toEqual(['new']);
  });

  test('is read once under way and once more, however many hints come', async () => {
    const gate = host.hold('listTopics');
    const before = reads();
    const channel = new BroadcastChannel(`tablog/${PROTOCOL_VERSION}/${log.name}`);
    onTestFinished(() => channel.close());
    for (let i = 0; i < 100; i++) channel.postMessage({ kind: 'topics' });
    await gate.arrived(1);
    for (let turn = 0; turn < 20; turn++) await settle();
    expect(reads()).toBe(before + 1);
    gate.open();
    for (let turn = 0; turn < 20; turn++) await settle();
    expect(reads()).toBe(before + 2);
  });

  test('and cannot be read: the topic as last seen is sent to', async () => {
    cut();
    await log.admin.createTopics(['other']);
    await log.producer().send('t', { value: 'a' });
    expect(await countOf(log, 'other')).toBe(0);
    host.answer('listTopics', undefined);
    await log.producer().send('other', { value: 'a' });
    expect(await countOf(log, 't')).toBe(2);
  });
});
