import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TablogError } from '../../../src/base/error.ts';
import { connectToWorker } from '../../../src/client/connection/worker-connection.ts';
import type { WorkerConnection } from '../../../src/client/connection/worker-connection.ts';
import type { Broker, OpenedLog } from '../../../src/protocol/broker.ts';
import { serveBroker } from '../../../src/protocol/port/serve-broker.ts';
import { WELCOME } from '../../protocol/endpoints.ts';
import { stubContext } from '../../support/context.ts';
import { errorOf } from '../../support/broker-fixture.ts';
import { FakeLocks } from '../../support/fake-locks.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { idle, settle } from '../../support/waiting.ts';

/** What becomes of a worker: the browser's word on it, nothing, or an answer. */
type Fate = 'not loaded' | 'throws' | 'silent' | 'serves';

const HELLO_MS = 4_750; // with the grace of a deadline
const PAUSE_MS = 100;
const SECOND_DIAL_MS = 750; // with the grace of a deadline

/** The worker's file, as a module of Node knows it. */
const FILE = new URL('../../../src/tablog-worker.js', import.meta.url).href;

let clock: ManualClock;
let fates: Fate[];
let workers: FakeSharedWorker[];
let asked: { readonly name: string; readonly at: number }[];

/** The browser's SharedWorker, as far as a page that dials one can tell. */
class FakeSharedWorker extends EventTarget {
  readonly port: MessagePort;
  readonly #served: MessagePort;
  isClosed = false;

  constructor(_url: URL, { name }: WorkerOptions) {
    super();
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    this.#served = port2;
    const close = port1.close.bind(port1);
    port1.close = () => {
      this.isClosed = true;
      close();
    };
    workers.push(this);
    asked.push({ name: name!.split('/').at(-1)!, at: clock.now() });
    const fate = fates.shift();
    if (fate === 'serves') {
      this.serve();
    } else if (fate !== 'silent') {
      const message = fate === 'throws' ? { message: 'Uncaught Error: boot' } : {};
      queueMicrotask(() => this.dispatchEvent(Object.assign(new Event('error'), message)));
    }
  }

  /** Answers what was sent, and all that is. */
  serve(): void {
    const broker: Partial<Broker> = {
      listTopics: async () => [],
      openLog: async () => OPENED,
    };
    serveBroker(this.#served, async () => ({ response: WELCOME, broker: broker as Broker }));
  }
}

const OPENED: OpenedLog = {
  logId: 'log',
  topics: [],
  topicsVersion: 0,
  lost: [],
  previousLogId: undefined,
  setAside: undefined,
};

beforeEach(() => {
  clock = new ManualClock();
  asked = [];
  workers = [];
  vi.stubGlobal('SharedWorker', FakeSharedWorker);
  vi.stubGlobal('navigator', { locks: { request: () => new Promise(() => {}) } }); // nobody dies
});

afterEach(() => vi.unstubAllGlobals());

function dial(...script: Fate[]): Promise<WorkerConnection> {
  return dialAs(null, script);
}

/** Dials as a tab that had the log open through another worker. */
function redial(...script: Fate[]): Promise<WorkerConnection> {
  return dialAs('log', script);
}

function dialAs(logId: string | null, script: Fate[]): Promise<WorkerConnection> {
  fates = script;
  return connectToWorker({
    log: 'shop',
    clientId: 'client',
    logId,
    witness: null,
    kind: 'shared',
    workerUrl: undefined,
    clock,
    onLost: () => {},
    onRecordsLost: () => {},
  });
}

/** Moves the clock by `ms`, once what the browser had to say has been heard. */
async function pass(ms: number): Promise<void> {
  await idle();
  clock.advance(ms);
}

/** The names that were asked for, and how long after the first. */
function askedFor(): (string | number)[][] {
  return asked.map(({ name, at }) => [name, at - asked[0]!.at]);
}

async function serves(dialled: Promise<WorkerConnection>): Promise<void> {
  const link = await dialled;
  expect(await link.call('listTopics', null, 1_000)).toEqual([]);
  link.close();
}

describe('SharedWorkers that a tab has found broken', () => {
  beforeEach(() => {
    const locks = new FakeLocks();
    void locks.request(`tablog/broker/${WELCOME.brokerId}`, () => new Promise(() => {})); // it lives
    vi.stubGlobal('navigator', { locks });
  });

  test('are dialled by no tab, as long as that tab lives', async () => {
    const failed = dial('silent', 'throws');
    await pass(HELLO_MS);
    await expect(failed).rejects.toMatchObject({ code: 'WORKER_FAILED' });
    asked = [];
    await serves(dial('serves'));
    expect(askedFor()).toEqual([['3', 0]]);
  });

  test('that did not load are dialled again: nothing of theirs lives', async () => {
    const failed = dial('not loaded', 'not loaded');
    await pass(PAUSE_MS);
    await expect(failed).rejects.toMatchObject({ code: 'WORKER_FAILED' });
    asked = [];
    await serves(dial('serves'));
    expect(askedFor()).toEqual([['1', 0]]);
  });
});

describe('a SharedWorker that', () => {
  test('answers is asked for once', async () => {
    await serves(dial('serves'));
    expect(askedFor()).toEqual([['1', 0]]);
  });

  test('does not load is asked for again by its name, when the browser has forgotten it', async () => {
    const dialled = dial('not loaded', 'serves');
    await pass(PAUSE_MS - 1);
    expect(askedFor()).toEqual([['1', 0]]);
    await pass(1);
    await serves(dialled);
    expect(askedFor()).toEqual([
      ['1', 0],
      ['1', PAUSE_MS],
    ]);
  });

  test('says nothing is handed out again by its name, so another is asked for', async () => {
    const dialled = dial('silent', 'serves');
    await pass(HELLO_MS);
    await serves(dialled);
    expect(askedFor()).toEqual([
      ['1', 0],
      ['2', HELLO_MS],
    ]);
  });

  test('throws at its start is handed out again by its name, so another is asked for', async () => {
    await serves(dial('throws', 'serves'));
    expect(askedFor()).toEqual([
      ['1', 0],
      ['2', 0],
    ]);
  });
});

describe('a tab that had a SharedWorker before', () => {
  test('dials one where that answers', async () => {
    await serves(redial('serves'));
    await pass(HELLO_MS);
    expect(askedFor()).toEqual([['1', 0]]);
    expect(clock.timers).toBe(0);
  });

  test('dials a second one when the first is silent, and takes what answers', async () => {
    const dialled = redial('silent', 'serves');
    await pass(SECOND_DIAL_MS - 1);
    expect(askedFor()).toEqual([['1', 0]]);
    await pass(1);
    await serves(dialled);
    expect(askedFor()).toEqual([
      ['1', 0],
      ['2', SECOND_DIAL_MS],
    ]);
    // The first one may answer later, and its connection is closed then.
    workers[0]!.serve();
    await settle();
    expect(workers.map(({ isClosed }) => isClosed)).toEqual([true, true]);
    expect(clock.timers).toBe(0);
  });

  test('takes the first one where that answers after all', async () => {
    const dialled = redial('silent', 'silent');
    await pass(SECOND_DIAL_MS);
    workers[0]!.serve();
    const link = await dialled;
    expect(await link.call('listTopics', null, 1_000)).toEqual([]);
    workers[1]!.serve();
    await settle();
    expect(workers.map(({ isClosed }) => isClosed)).toEqual([false, true]);
    link.close();
  });

  test('dials again where both fail', async () => {
    const dialled = redial('silent', 'not loaded', 'serves');
    await pass(SECOND_DIAL_MS);
    await pass(HELLO_MS - SECOND_DIAL_MS);
    await serves(dialled);
    expect(askedFor()).toEqual([
      ['1', 0],
      ['2', SECOND_DIAL_MS],
      ['3', HELLO_MS],
    ]);
  });

  test('waits for no second one where the browser says why the first fails', async () => {
    const dialled = redial('not loaded', 'serves');
    await pass(PAUSE_MS);
    await serves(dialled);
    expect(askedFor()).toEqual([
      ['1', 0],
      ['1', PAUSE_MS],
    ]);
  });
});

describe('where no SharedWorker starts, the error tells', () => {
  async function failure(
    dialled: Promise<WorkerConnection>,
    ...passing: number[]
  ): Promise<TablogError> {
    const failed = errorOf(dialled);
    for (const ms of passing) await pass(ms);
    const error = await failed;
    expect(error).toBeInstanceOf(TablogError);
    expect(error).toMatchObject({ code: 'WORKER_FAILED' });
    expect(fates).toEqual([]);
    return error;
  }

  test('that it does not load', async () => {
    const error = await failure(dial('not loaded', 'not loaded'), PAUSE_MS);
    expect(error.message).toMatch(/tablog-worker\.js is a file/);
    expect(error.details).toEqual({ reason: 'notLoaded', fault: 'file', url: FILE });
  });

  test('what its code threw', async () => {
    const error = await failure(dial('throws', 'throws'));
    expect(error.message).toContain('Uncaught Error: boot');
    expect(error.details).toEqual({ reason: 'threw', url: FILE });
  });

  test('that it is silent', async () => {
    const error = await failure(dial('silent', 'silent'), HELLO_MS, HELLO_MS);
    expect(error.message).toContain('did not answer within 4500 ms');
    expect(error.details).toEqual({ reason: 'silent', url: FILE });
  });

  test.each([
    ['not loaded', 'silent', [PAUSE_MS, HELLO_MS]],
    ['silent', 'not loaded', [HELLO_MS]],
  ] as const)(
    'what the browser said rather than that nobody answered (%s, %s)',
    async (first, second, passing) => {
      const error = await failure(dial(first, second), ...passing);
      expect(error.details).toMatchObject({ reason: 'notLoaded', url: FILE });
    },
  );

  test('that there are no such workers here', async () => {
    stubContext();
    const options = {
      log: 'shop',
      clientId: 'client',
      logId: null,
      witness: null,
      workerUrl: undefined,
      clock,
    };
    const error = await errorOf(
      connectToWorker({
        ...options,
        kind: 'dedicated',
        onLost: () => {},
        onRecordsLost: () => {},
      }),
    );
    expect(error.message).toMatch(/there is no Worker here\. Pass \{ host: inline\(\) \}/);
    expect(error).toMatchObject({ retriable: false, details: { fault: 'missing' } });
    expect('Worker' in globalThis).toBe(false);
  });
});
