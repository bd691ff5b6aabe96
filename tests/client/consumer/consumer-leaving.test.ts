import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { topic } from '../../../src/index.ts';
import type { CommitMode, Consumer, Log } from '../../../src/index.ts';
import { AN_HOUR_MS, memoryHost, numbered, openTab } from '../../support/log-fixture.ts';
import { StubPage } from '../../support/stub-page.ts';
import { stubHost } from '../../support/stub-broker.ts';
import type { Gate, StubHost } from '../../support/stub-broker.ts';
import { settle } from '../../support/waiting.ts';

let page: StubPage;
let host: StubHost;
let log: Log;
let gate: Gate | undefined;
beforeEach(async () => {
  page = new StubPage();
  host = stubHost(memoryHost());
  log = await openTab(host);
  await log.admin.createTopics([topic('t')]);
  await log.producer().sendBatch('t', numbered(5));
});
afterEach(() => {
  gate?.open();
  vi.unstubAllGlobals();
});

/** Reads `count` messages, of which all but the last one are processed then. */
async function read(commit: CommitMode, count: number): Promise<Consumer> {
  const consumer = log.consumer({ group: 'g', topics: ['t'], from: 'earliest', commit });
  await consumer.ready;
  const messages = consumer[Symbol.asyncIterator]();
  for (let i = 0; i < count; i++) await messages.next();
  return consumer;
}

function commits(): number[] {
  return host.requests('commitOffsets').flatMap(({ offsets }) => offsets.map((o) => o.offset));
}

describe.each(['pagehide', 'hide', 'freeze'] as const)('as the page leaves: %s', (how) => {
  test('what is processed is committed, before it is due', async () => {
    await read({ everyMs: AN_HOUR_MS }, 4);
    expect(commits()).toEqual([]);
    page[how]();
    for (let step = 0; step < 50; step++) await Promise.resolve(); // and not a task more
    expect(commits()).toEqual([3]);
  });

  test('it is posted though another commit is under way', async () => {
    const consumer = log.consumer({ group: 'g', topics: ['t'], from: 'earliest' });
    await consumer.ready;
    gate = host.hold('commitOffsets');
    const messages = consumer[Symbol.asyncIterator]();
    for (let i = 0; i < 2; i++) await messages.next();
    await gate.arrived(1);
    for (let i = 0; i < 2; i++) await messages.next();
    await settle();
    expect(commits()).toEqual([1]);
    page[how]();
    for (let step = 0; step < 50; step++) await Promise.resolve();
    expect(commits()).toEqual([1, 3]);
  });
});

test('what the application asked to commit is posted though another commit is under way', async () => {
  const consumer = await read('manual', 4);
  gate = host.hold('commitOffsets');
  const asked = [1, 3].map((offset) => consumer.commit([{ topic: 't', partition: 0, offset }]));
  await gate.arrived(1);
  asked.push(consumer.commit([{ topic: 't', partition: 0, offset: 2, metadata: 'm' }]));
  await settle();
  const before = commits().length;
  page.pagehide();
  for (let step = 0; step < 50; step++) await Promise.resolve();
  expect(commits().slice(before)).toEqual([2]);
  gate.open();
  await Promise.all(asked);
  const [committed] = await log.admin.listGroupOffsets('g');
  expect(committed).toMatchObject({ offset: 2, metadata: 'm' });
});

test('a page that lives on commits as before, and nothing goes back', async () => {
  const consumer = log.consumer({
    group: 'g',
    topics: ['t'],
    from: 'earliest',
    commit: { everyMs: AN_HOUR_MS },
  });
  const messages = consumer[Symbol.asyncIterator]();
  for (let i = 0; i < 3; i++) await messages.next();
  page.hide();
  await settle();
  expect(commits()).toEqual([2]);
  page.show();
  for (let i = 0; i < 2; i++) await messages.next();
  await consumer.close();
  const [committed] = await log.admin.listGroupOffsets('g');
  expect(committed).toMatchObject({ offset: 4 });
});
