import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openLog } from '../../../src/index.ts';
import type { Log } from '../../../src/index.ts';
import { isRepeatable } from '../../../src/protocol/broker.ts';
import { serveBroker } from '../../../src/protocol/port/serve-broker.ts';
import { WELCOME } from '../../protocol/endpoints.ts';
import { stubIndexedDb } from '../../store/indexeddb/fake-indexeddb.ts';
import { errorOf } from '../../support/broker-fixture.ts';
import { FakeLocks } from '../../support/fake-locks.ts';
import { memoryHost } from '../../support/log-fixture.ts';
import { stubHost } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { StubPage } from '../../support/stub-page.ts';
import { loadParts } from '../../support/load-parts.ts';
import { eventually, settle } from '../../support/waiting.ts';
import { listen } from '../status/status-fixture.ts';

/** A worker that a page has started, or a port to a SharedWorker. */
interface Started {
  readonly clientIds: string[];
  isClosed: boolean;
}

let page: StubPage;
let host: StubHost;
let locks: FakeLocks;
let started: Started[];
const unhandled = vi.fn();

/** Serves the log on a new channel; returns the page's end. */
function startWorker(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const worker: Started = { clientIds: [], isClosed: false };
  started.push(worker);
  const close = port1.close.bind(port1);
  onTestFinished(() => close());
  port1.close = () => {
    worker.isClosed = true;
    close();
  };
  serveBroker(port2, async ({ log, clientId }) => {
    worker.clientIds.push(clientId);
    return { response: WELCOME, broker: host.open(log).broker };
  });
  return port1;
}

class FakeSharedWorker extends EventTarget {
  readonly port = startWorker();
}

class FakeWorker extends EventTarget {
  readonly #port = startWorker();
  postMessage = this.#port.postMessage.bind(this.#port);

  override addEventListener(type: string, listener: EventListener): void {
    if (type === 'message') this.#port.addEventListener(type, listener);
    else super.addEventListener(type, listener);
    this.#port.start();
  }

  terminate(): void {
    this.#port.close();
  }
}

beforeEach(() => {
  page = new StubPage();
  host = stubHost(memoryHost());
  locks = new FakeLocks();
  void locks.request(`tablog/broker/${WELCOME.brokerId}`, () => new Promise(() => {}));
  started = [];
  stubIndexedDb();
  vi.stubGlobal('SharedWorker', FakeSharedWorker);
  vi.stubGlobal('Worker', FakeWorker);
  vi.stubGlobal('navigator', { locks });
  unhandled.mockReset();
  process.on('unhandledRejection', unhandled);
});

afterEach(() => {
  process.off('unhandledRejection', unhandled);
  vi.unstubAllGlobals();
  expect(unhandled).not.toHaveBeenCalled();
});

async function open(kind: 'shared' | 'dedicated'): Promise<Log> {
  const log = await openLog('shop', { host: kind });
  onTestFinished(() => log.close());
  await log.admin.createTopics(['t']);
  return log;
}

/** The locks of tabs that are held now. */
function aliveTabs(): string[] {
  return locks.held.filter((name) => name.startsWith('tablog/client/'));
}

describe.each(['shared', 'dedicated'] as const)('a tab with a %s worker', (kind) => {
  test('says hello anew when it comes back from the back/forward cache', async () => {
    const log = await open(kind);
    const { told } = listen(log);
    const [before] = started[0]!.clientIds;
    expect(aliveTabs()).toEqual([`tablog/client/${before}`]);

    page.pagehide(true);
    locks.take(`tablog/client/${before}`); // told late, as in WebKit
    page.pageshow(true);
    await settle();
    expect(await log.admin.listTopics()).toHaveLength(1);
    await settle();
    expect(started.map(({ isClosed }) => isClosed)).toEqual([true, false]);
    const [after] = started[1]!.clientIds;
    expect(after).not.toBe(before);
    expect(aliveTabs()).toEqual([`tablog/client/${after}`]);
    expect(told).toEqual([
      { type: 'workerLost', reason: 'interrupted' },
      { type: 'workerConnected', attempts: 1 },
    ]);
  });

  test('repeats the calls under way that may be repeated', async () => {
    const log = await open(kind);
    expect([isRepeatable('listGroups'), isRepeatable('deleteGroups')]).toEqual([true, false]);
    const gates = [host.hold('listGroups'), host.hold('deleteGroups')];
    const listed = log.admin.listGroups();
    const deleted = errorOf(log.admin.deleteGroups(['g']));
    await Promise.all(gates.map((gate) => gate.arrived(1)));
    page.pagehide(true);
    page.pageshow(true);
    await gates[0]!.arrived(2);
    gates[0]!.open();
    expect(await listed).toEqual([]);
    const error = await deleted;
    expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(error.message).toContain('back/forward cache');
  });

  test('goes on as before when it was not cached', async () => {
    const log = await open(kind);
    page.pagehide();
    page.pageshow();
    await log.admin.listTopics();
    expect(started).toHaveLength(1);
    expect(aliveTabs()).toEqual([`tablog/client/${started[0]!.clientIds[0]}`]);
  });

  test.each([
    ['let go', false],
    ['kept', true],
  ])('whose lock was stolen, and %s, says hello anew', async (_, isKept) => {
    const log = await open(kind);
    const [before] = started[0]!.clientIds;
    locks.take(`tablog/client/${before}`, isKept);
    await settle();
    expect(await log.admin.listTopics()).toHaveLength(1);
    expect(started[1]!.clientIds).toHaveLength(1);
    expect(aliveTabs()).toContain(`tablog/client/${started[1]!.clientIds[0]}`);
  });
});

test.each([
  ['is freed, as in the back/forward cache', false],
  ['is stolen and kept', true],
])('a member whose lock %s joins again and reads on', async (_, isKept) => {
  await loadParts();
  const log = await open('shared');
  const producer = log.producer();
  await producer.send('t', { value: 'a' });
  const options = { group: 'g', topics: ['t'], from: 'earliest', sessionTimeoutMs: 400 } as const;
  await using consumer = log.consumer(options);
  const messages = consumer[Symbol.asyncIterator]();
  expect((await messages.next()).value).toMatchObject({ offset: 0 });
  const next = messages.next(); // commits the first message
  await eventually(async () => {
    expect(await log.admin.listGroupOffsets('g')).toMatchObject([{ offset: 1 }]);
  });
  const lost = vi.fn();
  consumer.on('lost', lost);
  const [before] = aliveTabs();
  locks.take(before!, isKept);
  await eventually(() => expect(lost).toHaveBeenCalledOnce());
  await producer.send('t', { value: 'b' });
  expect((await next).value).toMatchObject({ offset: 1 });
  const [{ members }] = await log.admin.describeGroups(['g']);
  expect(members.map(({ clientId }) => `tablog/client/${clientId}`)).toEqual(
    aliveTabs().filter((name) => name !== before),
  );
});

describe('in the turn in which the page is cached', () => {
  test('a SharedWorker gets what is sent', async () => {
    const log = await open('shared');
    page.pagehide(true);
    await log.producer().send('t', { value: 'left' });
    expect(started).toHaveLength(1);
  });

  test('a dedicated worker ends, and what is sent waits for the page', async () => {
    const log = await open('dedicated');
    page.pagehide(true);
    await settle();
    expect(started.map(({ isClosed }) => isClosed)).toEqual([true]);
    const sent = log.producer().send('t', { value: 'left' });
    await settle();
    expect(started).toHaveLength(1);
    page.pageshow(true);
    expect(await sent).toMatchObject({ offset: 0 });
    expect(started).toHaveLength(2);
  });

  test('Chromium keeps the dedicated worker: it announces a cache that it may not use', async () => {
    Object.assign(document, { onfreeze: null });
    const log = await open('dedicated');
    page.pagehide(true);
    await log.producer().send('t', { value: 'left' });
    expect(started.map(({ isClosed }) => isClosed)).toEqual([false]);
  });
});

test('an inline broker stays, and its tab holds a lock again', async () => {
  const log = await openLog('shop', { host });
  onTestFinished(() => log.close());
  await log.admin.createTopics(['t']);
  const before = aliveTabs();
  page.pagehide(true);
  const sent = log.producer().send('t', { value: 'left' });
  await settle();
  expect(host.requests('produce')).toHaveLength(0);
  locks.take(before[0]!);
  page.pageshow(true);
  expect(await sent).toMatchObject({ offset: 0 });
  await settle();
  expect(aliveTabs()).toHaveLength(1);
  expect(aliveTabs()).not.toEqual(before);
});
