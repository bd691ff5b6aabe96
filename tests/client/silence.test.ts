import { describe, expect, test } from 'vitest';
import { openLog, topic } from '../../src/index.ts';
import type { Consumer, Log, Producer } from '../../src/index.ts';
import { inline } from '../../src/inline.ts';
import { workers } from '../support/fake-worker.ts';
import { killTransactions, useStoppedWorld } from '../support/hung-world.ts';
import { outcomeOf } from '../support/waiting.ts';

const t = topic('t');

/** An open log, and one of each handle. */
interface Handles {
  readonly log: Log;
  readonly idempotent: Producer;
  readonly once: Producer;
  readonly consumer: Consumer<typeof t>;
  readonly member: Consumer<typeof t>;
}

/** A worker, or the storage, is given 10 s. */
const ONE_MS = 10_000;
/** A call that is safe to repeat is sent to three workers at the most. */
const REPEATED_MS = 30_000;
/** A batch is sent for `deliveryTimeoutMs`, and the last attempt has 10 s. */
const DELIVERED_MS = 120_000 + ONE_MS;

type Call = readonly [name: string, maxMs: number, call: (handles: Handles) => Promise<unknown>];

const where = { topic: t, partition: 0 };
const forced = { force: true };

/** Sends a record whose own promise is dropped, because the flush is what is looked at. */
function sent(producer: Producer): Producer {
  producer.send(t, { value: 'v' }).catch(() => {});
  return producer;
}

const CALLS: readonly Call[] = [
  ['createTopics', REPEATED_MS, ({ log }) => log.admin.createTopics(['x'])],
  [
    'createPartitions',
    REPEATED_MS,
    ({ log }) => log.admin.createPartitions([{ topic: t, partitions: 2 }]),
  ],
  ['alterTopics', REPEATED_MS, ({ log }) => log.admin.alterTopics([{ topic: t, config: {} }])],
  ['deleteTopics', ONE_MS, ({ log }) => log.admin.deleteTopics([t])],
  ['listTopics', REPEATED_MS, ({ log }) => log.admin.listTopics()],
  ['describeTopics', REPEATED_MS, ({ log }) => log.admin.describeTopics([t])],
  ['listOffsets', REPEATED_MS, ({ log }) => log.admin.listOffsets([{ topic: t, at: 'latest' }])],
  [
    'deleteRecords',
    REPEATED_MS,
    ({ log }) => log.admin.deleteRecords([{ ...where, topic: 't', before: 'latest' }]),
  ],
  [
    'exportPartition',
    REPEATED_MS,
    ({ log }) => log.admin.exportPartition({ topic: 't', partition: 0 }).getReader().read(),
  ],
  ['listGroups', REPEATED_MS, ({ log }) => log.admin.listGroups()],
  ['describeGroups', REPEATED_MS, ({ log }) => log.admin.describeGroups(['g'])],
  ['deleteGroups', ONE_MS, ({ log }) => log.admin.deleteGroups(['g'])],
  ['listGroupOffsets', REPEATED_MS, ({ log }) => log.admin.listGroupOffsets('g')],
  [
    'alterGroupOffsets',
    REPEATED_MS,
    ({ log }) => log.admin.alterGroupOffsets('g', [{ ...where, topic: 't', offset: 0 }], forced),
  ],
  [
    'resetGroupOffsets',
    REPEATED_MS,
    ({ log }) => log.admin.resetGroupOffsets('g', [{ topic: t, to: 'earliest' }], forced),
  ],
  ['describeLog', REPEATED_MS, ({ log }) => log.admin.describeLog()],
  ['runLogCleaner', REPEATED_MS, ({ log }) => log.admin.runLogCleaner()],
  ['alterLog', REPEATED_MS, ({ log }) => log.admin.alterLog({ maxBytes: null })],
  ['send where idempotent is false', ONE_MS, ({ once }) => once.send(t, { value: 'v' })],
  ['send', DELIVERED_MS, ({ idempotent }) => idempotent.send(t, { value: 'v' })],
  ['send to a new topic', DELIVERED_MS, ({ idempotent }) => idempotent.send('u', { value: 'v' })],
  ['flush', DELIVERED_MS, ({ idempotent }) => sent(idempotent).flush()],
  ['close of a producer', DELIVERED_MS, ({ idempotent }) => sent(idempotent).close()],
  [
    'transaction',
    DELIVERED_MS,
    ({ idempotent }) => idempotent.transaction((tx) => tx.send(t, { value: 'v' })),
  ],
  ['seek', REPEATED_MS, ({ member }) => member.seek('earliest')],
  ['commit', REPEATED_MS, ({ member }) => member.commit([{ ...where, topic: 't', offset: 1 }])],
  ['close of a consumer', ONE_MS, ({ consumer }) => consumer.close()],
  ['close of a member of a group', REPEATED_MS, ({ member }) => member.close()],
  ['close of a log', REPEATED_MS, ({ log }) => log.close()],
];

/** The calls that store nothing here, and so resolve. */
const RESOLVES: ReadonlySet<string> = new Set([
  'flush',
  'close of a producer',
  'close of a consumer',
]);

const AWAY = /^(WORKER_FAILED|WORKER_LOST|STORAGE_TIMEOUT|OUTCOME_UNKNOWN)$/;

useStoppedWorld();

/** The value of `promise`, while the time goes on. */
async function inTime<T>(promise: Promise<T>): Promise<T> {
  const { error } = await outcomeOf(promise, ONE_MS);
  expect(error).toBeUndefined();
  return promise;
}

async function open(host: 'shared' | 'inline'): Promise<Handles> {
  const worker = { host: 'shared', workerUrl: 'https://shop.test/worker.js' } as const;
  const log = await inTime(openLog('shop', host === 'inline' ? { host: inline() } : worker));
  await inTime(log.admin.createTopics([t]));
  const handles = {
    log,
    idempotent: log.producer(),
    once: log.producer({ idempotent: false }),
    consumer: log.consumer({ topics: [t] }),
    member: log.consumer({ topics: [t], group: 'g', from: 'earliest' }),
  };
  await inTime(handles.consumer.ready);
  await inTime(handles.member.ready);
  await inTime(handles.idempotent.send(t, { value: 'known' }));
  return handles;
}

const FAULTS: readonly (readonly [string, 'shared' | 'inline', () => void])[] = [
  ['all workers fall silent', 'shared', () => void (workers.areHung = true)],
  ['no transaction of the storage ends', 'inline', killTransactions],
];

describe.each(FAULTS)('where %s,', (_, host, begin) => {
  test.each(CALLS)('%s settles within %i ms', async (name, maxMs, call) => {
    const handles = await open(host);
    begin();
    const { ms, error } = await outcomeOf(call(handles), maxMs);
    expect(ms).toBeLessThanOrEqual(maxMs);
    const code = RESOLVES.has(name) ? undefined : expect.stringMatching(AWAY);
    expect(error?.code).toEqual(code);
  });
});
