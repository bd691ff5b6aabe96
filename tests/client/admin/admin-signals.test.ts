import { describe, expect, test } from 'vitest';
import type { Admin, Log } from '../../../src/index.ts';
import type { Method } from '../../../src/protocol/broker.ts';
import { numbered } from '../../support/log-fixture.ts';
import { stubbedLog } from '../../support/stub-broker.ts';
import type { StubHost } from '../../support/stub-broker.ts';

interface Options {
  readonly signal: AbortSignal;
}

const where = { topic: 't', partition: 0 };

/** Every method, with the call to the broker that it waits for. */
const CALLS: readonly [
  method: keyof Admin,
  waitsFor: Method,
  call: (admin: Admin, options: Options) => Promise<unknown>,
][] = [
  ['createTopics', 'createTopics', (admin, options) => admin.createTopics(['u'], options)],
  [
    'createPartitions',
    'createPartitions',
    (admin, options) => admin.createPartitions([{ topic: 't', partitions: 2 }], options),
  ],
  [
    'alterTopics',
    'alterTopics',
    (admin, options) =>
      admin.alterTopics([{ topic: 't', config: { timestampType: 'append' } }], options),
  ],
  ['deleteTopics', 'deleteTopics', (admin, options) => admin.deleteTopics(['t'], options)],
  ['listTopics', 'listTopics', (admin, options) => admin.listTopics(options)],
  ['describeTopics', 'describeTopics', (admin, options) => admin.describeTopics(['t'], options)],
  [
    'listOffsets',
    'listOffsets',
    (admin, options) => admin.listOffsets([{ topic: 't', at: 'latest' }], options),
  ],
  [
    'deleteRecords',
    'deleteRecords',
    (admin, options) => admin.deleteRecords([{ ...where, before: 1 }], options),
  ],
  [
    'exportPartition',
    'fetch',
    (admin, options) => new Response(admin.exportPartition(where, options)).arrayBuffer(),
  ],
  [
    'importPartition',
    'importPartition',
    (admin, options) => admin.importPartition(where, new Uint8Array(100), options),
  ],
  ['listGroups', 'listGroups', (admin, options) => admin.listGroups(options)],
  ['describeGroups', 'describeGroups', (admin, options) => admin.describeGroups(['g'], options)],
  ['deleteGroups', 'deleteGroups', (admin, options) => admin.deleteGroups(['g'], options)],
  [
    'listGroupOffsets',
    'listGroupOffsets',
    (admin, options) => admin.listGroupOffsets('g', options),
  ],
  [
    'alterGroupOffsets',
    'alterGroupOffsets',
    (admin, options) => admin.alterGroupOffsets('g', [{ ...where, offset: 1 }], options),
  ],
  [
    'resetGroupOffsets',
    'alterGroupOffsets',
    (admin, options) => admin.resetGroupOffsets('g', [{ topic: 't', to: 0 }], options),
  ],
  ['runLogCleaner', 'runLogCleaner', (admin, options) => admin.runLogCleaner(options)],
  ['scrub', 'scrubRows', (admin, options) => admin.scrub(options)],
  ['describeLog', 'describeLog', (admin, options) => admin.describeLog(options)],
  ['alterLog', 'alterLog', (admin, options) => admin.alterLog({ maxBytes: null }, options)],
];

async function openStub(): Promise<{ log: Log; host: StubHost }> {
  const { log, host } = await stubbedLog('t');
  await log.producer().sendBatch('t', numbered(3));
  return { log, host };
}

/** The reason is what the caller gave, and nothing of tablog's. */
const reason = new Error('nobody waits any more');

test('every method of log.admin is here', async () => {
  const { log } = await openStub();
  const methods = Reflect.ownKeys(Object.getPrototypeOf(log.admin) as object);
  expect(new Set(['constructor', ...CALLS.map(([method]) => method)])).toEqual(new Set(methods));
});

describe.each(CALLS)('%s', (_, method, call) => {
  test('rejects with the reason of a signal that aborts meanwhile', async () => {
    const { log, host } = await openStub();
    const gate = host.hold(method);
    const abort = new AbortController();
    const calling = call(log.admin, { signal: abort.signal });
    await gate.arrived(1);
    abort.abort(reason);
    await expect(calling).rejects.toBe(reason);
    gate.open();
  });

  test('asks nothing for a signal that has aborted before', async () => {
    const { log, host } = await openStub();
    const before = host.requests(method).length;
    const calling = call(log.admin, { signal: AbortSignal.abort(reason) });
    await expect(calling).rejects.toBe(reason);
    expect(host.requests(method)).toHaveLength(before);
  });

  test('refuses what is no signal, and options that it does not have', async () => {
    const { log } = await openStub();
    const wrong = (options: unknown): Promise<unknown> => call(log.admin, options as Options);
    await expect(wrong({ signal: 'now' })).rejects.toThrow('signal must be an AbortSignal, got');
    await expect(wrong({ timeoutMs: 5 })).rejects.toThrow('has no option "timeoutMs"');
    await expect(wrong(null)).rejects.toThrow('takes an object of options, got null');
  });
});

test('what was asked for may still happen, and the tab knows', async () => {
  const { log, host } = await openStub();
  const gate = host.hold('createTopics');
  const abort = new AbortController();
  const creating = log.admin.createTopics(['u'], { signal: abort.signal });
  await gate.arrived(1);
  abort.abort(reason);
  await expect(creating).rejects.toBe(reason);
  gate.open();
  await log.admin.createTopics(['u']); // after the other
  expect(await log.producer().send('u', { value: 'v' })).toMatchObject({ offset: 0 });
});

test('an import stops reading its file, and asks nothing', async () => {
  const { log, host } = await openStub();
  const abort = new AbortController();
  let pulls = 0;
  let canceled: unknown;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (++pulls === 3) abort.abort(reason);
      else controller.enqueue(new Uint8Array(10));
    },
    cancel: (why) => void (canceled = why),
  });
  const importing = log.admin.importPartition(where, endless, { signal: abort.signal });
  await expect(importing).rejects.toBe(reason);
  expect(canceled).toBe(reason);
  expect(host.requests('importPartition')).toEqual([]);
});

test('a signal keeps no listener of a call that has ended', async () => {
  const { log } = await openStub();
  const abort = new AbortController();
  let listeners = 0;
  const { signal } = abort;
  const add = signal.addEventListener.bind(signal);
  signal.addEventListener = (type: string, listener: never, options?: AddEventListenerOptions) => {
    listeners++;
    options?.signal?.addEventListener('abort', () => listeners--);
    add(type, listener, options);
  };
  await log.admin.listTopics({ signal });
  await log.admin.describeTopics(['t'], { signal });
  expect(listeners).toBe(0);
});
