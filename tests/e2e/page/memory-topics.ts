import type { Log, ResetEvent } from '../../../src/index.ts';
import { string, topic } from '../../../src/index.ts';

export const PARTITIONS = 2;

const chat = topic('chat', { value: string(), storage: 'memory', partitions: PARTITIONS });

/** A record that was sent; `at`: when that was known, in ms since 1970. */
export interface Sent {
  readonly partition: number;
  readonly offset: number;
  readonly value: string;
  readonly at: number;
}

/** Everything that a reader got, and what it was told. */
export interface Reading {
  readonly read: Sent[];
  readonly resets: ResetEvent[];
  /** Why it ended. */
  error?: string;
}

export interface Sending {
  readonly sent: Sent[];
  /** How sends failed. */
  readonly codes: string[];
  /** How many were begun. */
  begun: number;
}

export interface ReadOptions {
  readonly from: 'earliest' | 'latest';
  readonly group?: string;
}

const readings = new Map<string, Reading>();
let sending: Sending | undefined;
let done = Promise.resolve();
/** Of what runs until it is stopped. */
let ending = new AbortController();
let answered = 0;

export async function createTopic(log: Log): Promise<void> {
  await log.admin.createTopics([chat]);
}

/** Begins to read; resolves when the reader is ready. */
export async function read(log: Log, name: string, options: ReadOptions): Promise<void> {
  const reading: Reading = { read: [], resets: [] };
  readings.set(name, reading);
  const consumer = log.consumer({ topics: [chat], ...options });
  consumer.on('reset', (event) => void reading.resets.push(event));
  const follow = async (): Promise<void> => {
    for await (const { partition, offset, value } of consumer) {
      reading.read.push({ partition, offset, value: String(value), at: Date.now() });
    }
  };
  follow().catch((error: unknown) => (reading.error = codeOf(error)));
  await consumer.ready;
}

/** What a reader got so far, from the `from`th record on. */
export function readingOf(name: string, from = 0): Reading {
  const { read: all, ...told } = readings.get(name)!;
  return { ...told, read: all.slice(from) };
}

/** Sends `count` records, a hundred at a time, to one partition after the other. */
export async function send(log: Log, name: string, count: number): Promise<Sent[]> {
  const producer = log.producer();
  const sent: Sent[] = [];
  for (let first = 0; first < count; first += 100) {
    const records = Array.from({ length: Math.min(100, count - first) }, (_, i) => ({
      value: `${name} ${first + i}`,
      partition: (first + i) % PARTITIONS,
    }));
    const placed = await producer.sendBatch(chat, records);
    placed.forEach(({ partition, offset }, i) => {
      sent.push({ partition, offset, value: records[i]!.value, at: Date.now() });
    });
  }
  await producer.close();
  return sent;
}

/** Sends one record after the other, to one partition after the other, until `stopSending`. */
export function startSending(log: Log, name: string): void {
  const producer = log.producer();
  const made: Sending = (sending = { sent: [], codes: [], begun: 0 });
  const { signal } = (ending = new AbortController());
  const go = async (): Promise<void> => {
    while (!signal.aborted) {
      const value = `${name} ${made.begun}`;
      const partition = made.begun++ % PARTITIONS;
      await producer.send(chat, { value, partition }).then(
        ({ offset }) => void made.sent.push({ partition, offset, value, at: Date.now() }),
        (error: unknown) => void made.codes.push(codeOf(error)),
      );
      await new Promise((resolve) => setTimeout(resolve, 5)); // what readers keep up with
    }
    await producer.close();
  };
  done = go();
}

export function sent(): Sending {
  return sending!;
}

export async function stopSending(): Promise<Sending> {
  ending.abort();
  await done;
  return sending!;
}

/** Asks where the partitions end, again and again, until `stopAsking`; how that failed. */
export async function ask(log: Log): Promise<string[]> {
  const codes: string[] = [];
  const { signal } = (ending = new AbortController());
  for (answered = 0; !signal.aborted; answered++) {
    await log.admin
      .listOffsets([{ topic: chat, at: 'latest' }])
      .catch((error) => codes.push(codeOf(error)));
  }
  return codes;
}

/** How often `ask` was answered. */
export function answers(): number {
  return answered;
}

export function stopAsking(): void {
  ending.abort();
}

/** How many rows each store of the log's database has, but for those that have none. */
export async function countRows(): Promise<Record<string, number>> {
  const [{ name } = {}] = await indexedDB.databases();
  const database = await settled(indexedDB.open(name!));
  const stores = [...database.objectStoreNames];
  const transaction = database.transaction(stores);
  const counts = await Promise.all(
    stores.map(async (store) => [store, await settled(transaction.objectStore(store).count())]),
  );
  database.close();
  return Object.fromEntries(counts.filter(([, count]) => count !== 0)) as Record<string, number>;
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error!));
  });
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? error);
}
