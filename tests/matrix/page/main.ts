import { openLog, string, topic } from '../../../src/index.ts';
import type { Consumer, Log, LogStatus, Producer, TablogError } from '../../../src/index.ts';
import { inline } from '../../../src/inline.ts';
import type { Contents, Found, LostRange, Told } from '../run-record.ts';
import { foundOf, valueOf } from './values.ts';

/** The part of a tab in a run: the tab sends orders, and copies orders as a member of a group. */

export const PARTITIONS = 4;

const orders = topic('orders', { value: string(), partitions: PARTITIONS });
const copies = topic('copies', { value: string(), partitions: PARTITIONS });

/** How long a call may take, in milliseconds, with a second for a busy machine. */
const PATIENCE_MS = 11_000;

/** How long a record or a transaction may take; the deadline has a grace. */
const DELIVERY_MS = 9_750;

/** The pause between two rounds of sends, in milliseconds. */
const PACE_MS = 15;

declare global {
  interface Window {
    /** The test's; it has heard when this resolves. */
    told(tab: string, events: readonly Told[]): Promise<void>;
    /** Kept, as a page that is terminated on purpose needs it. */
    newestWorker?: Worker;
  }
}

export interface ActorOptions {
  readonly tab: string;
  readonly host: 'shared' | 'dedicated' | 'inline';
  readonly durability?: 'relaxed' | 'strict';
  readonly onUnrecoverable?: 'error' | 'recreate';
  /** The bytes of a value, at most. Default: 300. */
  readonly maxValueBytes?: number;
}

/** The machine's clock, which is the test's. */
const systemNow = Date.now.bind(Date);

let tab = '';
let log: Log | undefined;
/** The loops that are to go on; the test changes them while they run. */
const at = { sending: false, copying: false };
let sending: Promise<void> = Promise.resolve();
let copying: Promise<void> = Promise.resolve();
let consumer: Consumer<typeof orders> | undefined;

let untold: Told[] = [];
let telling: Promise<void> | undefined;

/** Tells the test what happened, in the order in which it happened. */
function tell(event: Told): void {
  untold.push(event);
  telling ??= (async () => {
    while (untold.length > 0) {
      const events = untold;
      untold = [];
      await window.told(tab, events);
    }
    telling = undefined;
  })();
}

/** The calls that have not settled, with the time that each may still wait while the page runs. */
const waiting = new Map<object, { readonly call: string; leftMs: number }>();

/** Tells of a call that takes too long. Time in which the page did not run does not count. */
async function watched<T>(call: string, promise: Promise<T>): Promise<T> {
  const key = {};
  waiting.set(key, { call, leftMs: PATIENCE_MS });
  try {
    return await promise;
  } finally {
    waiting.delete(key);
  }
}

let lastTick = systemNow();
setInterval(() => {
  const now = systemNow();
  const passed = Math.min(now - lastTick, 500);
  lastTick = now;
  for (const [key, each] of waiting) {
    each.leftMs -= passed;
    if (each.leftMs > 0) continue;
    waiting.delete(key);
    tell({ kind: 'late', call: each.call });
  }
}, 250);

addEventListener('unhandledrejection', ({ reason }) => {
  tell({ kind: 'unhandled', text: String(reason) });
});

const api = {
  /** Opens the log of this tab; resolves to the code of an error. */
  async open(options: ActorOptions): Promise<string> {
    ({ tab } = options);
    const { host, onUnrecoverable = 'error' } = options;
    try {
      log = await watched(
        'openLog',
        openLog('shop', { host: host === 'inline' ? inline() : host, onUnrecoverable }),
      );
      void listen(log);
      await watched('createTopics', log.admin.createTopics([orders, copies]));
      return 'opened';
    } catch (error) {
      return codeOf(error);
    }
  },

  /**
   * Deletes the topics that tell that they are damaged, and creates them again. Resolves to the code
   * of an error where the log cannot be read to its end, else null.
   */
  async replaceDamagedTopics(): Promise<string | null> {
    const { admin } = api.mustGetLog();
    try {
      for (const each of [orders, copies]) {
        try {
          await admin.describeTopics([each]);
        } catch (error) {
          if (codeOf(error) !== 'LOG_CORRUPT') throw error;
          tell({ kind: 'unusable', topic: each.name, code: codeOf(error) });
          await admin.deleteTopics([each]);
          await admin.createTopics([each]);
        }
      }
      await admin.scrub();
      return null;
    } catch (error) {
      return codeOf(error);
    }
  },

  mustGetLog(): Log {
    if (log === undefined) throw new Error('no log is open in this tab');
    return log;
  },

  /** Sends until `stopSending`. `producer`: a name that no other producer of the run has. */
  startSending(
    name: string,
    options: Pick<ActorOptions, 'durability' | 'maxValueBytes'> = {},
  ): void {
    at.sending = true;
    sending = send(name, options);
  },

  /** Resolves when every record that was sent is acked or refused. */
  async stopSending(): Promise<void> {
    at.sending = false;
    await sending;
    await telling;
  },

  startCopying(): void {
    at.copying = true;
    copying = copy();
  },

  async stopCopying(): Promise<void> {
    at.copying = false;
    await consumer?.close().catch(() => {}); // a log that is gone takes no commit
    await copying;
    await telling;
  },

  isAtWork(): boolean {
    return at.sending;
  },

  /** Ends whatever this tab does with a log that is gone. */
  async leaveLog(): Promise<void> {
    // Calls to a log that is gone reject, as they must.
    await Promise.allSettled([api.stopSending(), api.stopCopying()]);
    await watched('log.close', api.mustGetLog().close()).catch(() => {});
  },

  /** The place of the copiers: the committed offset of each partition. */
  async committed(): Promise<number[]> {
    const found = await api.mustGetLog().admin.listGroupOffsets('copiers');
    const offsets = Array.from({ length: PARTITIONS }, () => 0);
    for (const { partition, offset } of found) offsets[partition] = offset;
    return offsets;
  },

  /** Deletes every record of both topics. */
  async trim(): Promise<void> {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    await api
      .mustGetLog()
      .admin.deleteRecords(
        [orders, copies].flatMap((each) =>
          partitions.map((partition) => ({ topic: each, partition, before: 'latest' as const })),
        ),
      );
  },

  /** The start and the end of each partition of a topic. */
  async bounds(name: string): Promise<{ startOffset: number; endOffset: number }[]> {
    const [described] = await api.mustGetLog().admin.describeTopics([name]);
    return described.partitions.map(({ startOffset, endOffset }) => ({ startOffset, endOffset }));
  },

  /** Everything that a topic has. */
  async read(name: 'orders' | 'copies'): Promise<Contents[]> {
    const which = name === 'orders' ? orders : copies;
    const bounds = await api.bounds(name);
    const contents = bounds.map((each) => ({ ...each, records: [] as Found[] }));
    let left = bounds.reduce((sum, { startOffset, endOffset }) => sum + endOffset - startOffset, 0);
    if (left === 0) return contents;
    const reader = api.mustGetLog().consumer({ topics: [which], from: 'earliest' });
    while (left > 0) {
      try {
        for await (const { partition, offset, value } of reader) {
          contents[partition]!.records.push(foundOf(offset, value ?? ''));
          if (--left === 0) break;
        }
      } catch (error) {
        left -= await seekPast(reader, which, error);
      }
    }
    await reader.close();
    return contents;
  },
};

async function listen(of: Log): Promise<void> {
  for await (const status of of.status()) tell({ kind: 'status', ...told(status) });
}

function told(status: LogStatus): { readonly type: string; readonly lost?: LostRange } {
  if (status.type !== 'recordsLost') return { type: status.type };
  const { type, topic: name, partition, error } = status;
  const { from, to } = error.details as { from: number; to: number };
  return { type, lost: { topic: name, partition, from, to } };
}

/** Seeks past records that are lost, as the error says; resolves to how many those are. */
async function seekPast<T extends typeof orders | typeof copies>(
  reader: { seek(offset: number, where: { topic: T; partition: number }): Promise<void> },
  which: T,
  error: unknown,
): Promise<number> {
  const code = codeOf(error);
  if (code !== 'LOG_CORRUPT' && code !== 'BATCH_CORRUPT') throw error;
  const { partition, from, to } = (error as TablogError).details as unknown as LostRange;
  await reader.seek(to, { topic: which, partition });
  return to - from;
}

async function send(
  name: string,
  {
    durability = 'relaxed',
    maxValueBytes = 300,
  }: Pick<ActorOptions, 'durability' | 'maxValueBytes'>,
): Promise<void> {
  const producer = api.mustGetLog().producer({ durability, deliveryTimeoutMs: DELIVERY_MS });
  const sends = new Set<Promise<void>>();
  for (let n = 0; at.sending; n++) {
    const sent = sendOne(producer, { producer: name, n }, maxValueBytes);
    sends.add(sent);
    void sent.then(() => sends.delete(sent));
    // Some records share a batch, and some batches are under way together.
    if (n % 5 === 4) await pause(PACE_MS);
    if (sends.size >= 100) await sent;
  }
  await Promise.all(sends);
  await watched('producer.close', producer.close()).catch(() => {});
}

async function sendOne(
  producer: Producer,
  sent: { readonly producer: string; readonly n: number },
  maxValueBytes: number,
): Promise<void> {
  const partition = (sent.n + sent.producer.length) % PARTITIONS;
  const sentAt = systemNow();
  const value = valueOf(sent.producer, sent.n, maxValueBytes);
  try {
    const sending = producer.send(orders, { partition, value });
    const { offset } = await watched('send', sending);
    tell({ kind: 'acked', ...sent, partition, offset, sentAt });
  } catch (error) {
    tell({ kind: 'refused', ...sent, code: codeOf(error) });
  }
}

/** Copies for as long as it may, as a member of the group; what stops the member is told. */
async function copy(): Promise<void> {
  while (at.copying) {
    try {
      await copyAsMember();
    } catch (error) {
      // A log that is gone makes no members, and rejects what closes them.
      tell({ kind: 'copierFailed', code: codeOf(error) });
    }
    await pause(50);
  }
}

async function copyAsMember(): Promise<void> {
  const producer = api.mustGetLog().producer({ deliveryTimeoutMs: DELIVERY_MS });
  const member = api
    .mustGetLog()
    .consumer({ topics: [orders], group: 'copiers', from: 'earliest' });
  consumer = member;
  try {
    while (at.copying) {
      try {
        await copyBatches(member, producer);
      } catch (error) {
        await seekPast(member, orders, error);
      }
    }
  } finally {
    await watched('consumer.close', member.close()).catch(() => {});
    await watched('producer.close', producer.close()).catch(() => {});
  }
}

async function copyBatches(member: Consumer<typeof orders>, producer: Producer): Promise<void> {
  for await (const { messages } of member.batches({ max: 50 })) {
    const transaction = producer.transaction((tx) => {
      for (const { value, partition } of messages) tx.send(copies, { value, partition });
      tx.commitOffsets(member);
    });
    await watched('transaction', transaction);
    for (const { partition, offset } of messages.slice(-1)) {
      tell({ kind: 'copied', partition, next: offset + 1 });
    }
    if (!at.copying) break;
  }
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? error);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export type MatrixApi = typeof api;

Object.assign(globalThis, { api });
