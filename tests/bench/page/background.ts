import { openLog, string, topic } from '../../../src/index.ts';
import type { Producer } from '../../../src/index.ts';
import { CHUNK } from './case.ts';
import { KEEPER } from './keeper-wire.ts';
import type { Kept, Order, Report, Work } from './keeper-wire.ts';
// oxlint-disable-next-line import/default -- Vite makes the export.
import workerUrl from './keeper-worker.ts?worker&url';
import { now } from './now.ts';
import { makeRecords } from './records.ts';
import { LOG, records } from './tablog-cases.ts';

export interface BackgroundInput {
  readonly work: Work;
  /** To be merged, in each partition. */
  readonly rows: number;
  /** Of the topic that is compacted: each is written `WRITES` times. */
  readonly keys: number;
  /** Sends without the work, half of them before it and half of them after. */
  readonly rest: number;
}

/** How much work there was in each partition, and how long sends took meanwhile, and at rest. */
export interface BackgroundSamples {
  readonly tended: readonly { readonly bytes: number; readonly ms: number }[];
  /** Milliseconds, one for each send. */
  readonly rest: readonly number[];
  readonly beside: readonly number[];
}

interface Sent {
  readonly from: number;
  readonly to: number;
}

const WARM_UP = 50;
const PARTITIONS = 8;
/** Of 1 KiB: rows as a producer leaves them that sends now and then. */
const RECORDS_A_ROW = 4;
const WRITES = 10;

const texts = { key: string(), value: string() };
const topics = {
  merge: topic('rows', { ...texts, partitions: PARTITIONS }),
  compact: topic('keys', { ...texts, partitions: 4, cleanup: 'compact' }),
};

/** Has the worker merge or compact a topic, while one record at a time is sent to another one. */
export async function measureBackground(input: BackgroundInput): Promise<BackgroundSamples> {
  const { work, rest } = input;
  const { list } = await makeRecords('100 B', CHUNK);
  const log = await openLog(LOG, { workerUrl });
  await log.admin.createTopics([records, topics[work]]);
  await keep(work); // nothing yet: but from now on the janitor is off
  const producer = log.producer({ durability: 'relaxed' });
  await fill[work](producer, input);

  const sends: Sent[] = [];
  const send = async (): Promise<void> => {
    const from = now();
    await producer.send(records, list[sends.length % CHUNK]!);
    sends.push({ from, to: now() });
  };
  for (let i = 0; i < WARM_UP + rest / 2; i++) await send();
  const over = new AbortController();
  const keeping = keep(work).finally(() => over.abort());
  while (!over.signal.aborted) await send();
  const kept = await keeping;
  for (let i = 0; i < rest / 2; i++) await send();
  await log.close();

  const tended = kept.map((part) => ({ bytes: bytesOf[work](part), ms: part.to - part.from }));
  const { from } = kept[0]!;
  const { to } = kept.at(-1)!;
  const counted = sends.slice(WARM_UP);
  const isBeside = (sent: Sent): boolean => sent.from < to && sent.to > from;
  const msOf = (sent: Sent): number => sent.to - sent.from;
  return {
    tended,
    rest: counted.filter((sent) => !isBeside(sent)).map(msOf),
    beside: counted.filter(isBeside).map(msOf),
  };
}

type Fill = (producer: Producer, input: BackgroundInput) => Promise<void>;

const fill: Readonly<Record<Work, Fill>> = {
  /** One row a partition, in one transaction, again and again. */
  async merge(producer, { rows }) {
    const { list } = await makeRecords('1 KiB', PARTITIONS * RECORDS_A_ROW);
    const batch = list.map((record, i) => ({ ...record, partition: i % PARTITIONS }));
    for (let row = 0; row < rows; row++) await producer.sendBatch(topics.merge, batch);
  },
  /** Every key once, then every key again. */
  async compact(producer, { keys }) {
    const { list } = await makeRecords('100 B', keys * WRITES);
    const keyed = list.map(({ value }, i) => ({ key: `user-${i % keys}`, value }));
    for (let at = 0; at < keyed.length; at += CHUNK) {
      await producer.sendBatch(topics.compact, keyed.slice(at, at + CHUNK));
    }
  },
};

/** How many bytes the work went over. Throws where it has not been done. */
const bytesOf: Readonly<Record<Work, (kept: Kept) => number>> = {
  merge({ before, after }) {
    if (after.bytes !== before.bytes || after.rows > before.rows / 2) {
      throw new Error(
        `${before.rows} rows of ${before.bytes} bytes became ${after.rows} of ${after.bytes}`,
      );
    }
    // All are of one size, and the last ones may be too few to be merged.
    return before.bytes * (1 - after.rows / before.rows);
  },
  compact({ before, after }) {
    const share = (after.bytes / before.bytes) * WRITES;
    if (share < 0.5 || share > 2) {
      throw new Error(
        `of ${before.bytes} bytes, of which 1 in ${WRITES} is needed, ${after.bytes} are left`,
      );
    }
    return before.bytes;
  },
};

function keep(work: Work): Promise<readonly Kept[]> {
  const channel = new BroadcastChannel(KEEPER);
  const kept = new Promise<readonly Kept[]>((resolve, reject) => {
    channel.onmessage = ({ data }: MessageEvent<Report>) => {
      if ('error' in data) reject(new Error(data.error));
      else resolve(data.kept);
    };
  });
  const order: Order = { log: LOG, topic: topics[work].name, work };
  channel.postMessage(order);
  return kept.finally(() => channel.close());
}
