import { bytes, string, topic } from '../../../src/index.ts';
import type { Log, Topic } from '../../../src/index.ts';

/** A log that has filled its origin. */
export interface FullOrigin {
  readonly topic: Topic<'full', string, Uint8Array>;
  /** The keys of the records in the topic 'full' that were acked. */
  readonly acked: readonly string[];
  /** Sends a record with a value of random bytes; its offset, or the code of the error. */
  send(size: number): Promise<number | string>;
  /** Sends until a record is stored, for up to 5 s; its offset. */
  sendUntilStored(size: number): Promise<number | string>;
  /** The keys of all records in 'full'. */
  read(): Promise<string[]>;
}

/** Fills the origin of this tab with the topics 'other' and 'full'. */
export async function fillOrigin(log: Log, size: number): Promise<FullOrigin> {
  const full = topic('full', { key: string(), value: bytes() });
  await log.admin.createTopics(['other', full]);
  const producer = log.producer();
  const acked: string[] = [];
  let sent = 0;
  const send = async (size: number): Promise<number | string> => {
    const key = String(sent++);
    try {
      const { offset } = await producer.send(full, { key, value: randomBytes(size) });
      acked.push(key);
      return offset;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  for (let i = 0; i < 40; i++) await producer.send('other', { value: randomBytes(size) });
  await reserveOf(log.name);
  for (const each of [size, 20_000, 2_000, 200]) {
    while (typeof (await send(each)) === 'number');
  }
  return {
    topic: full,
    acked,
    send,
    async sendUntilStored(size) {
      const giveUpAt = performance.now() + 5_000;
      for (;;) {
        const sent = await send(size);
        if (typeof sent === 'number' || performance.now() > giveUpAt) return sent;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async read() {
      const [{ partitions }] = await log.admin.describeTopics([full]);
      const { endOffset } = partitions[0]!;
      const keys: string[] = [];
      const consumer = log.consumer({ topics: [full], from: 'earliest' });
      for await (const { key, offset } of consumer) {
        keys.push(key!);
        if (offset === endOffset - 1) break;
      }
      await consumer.close();
      return keys;
    },
  };
}

/** Resolves when the log's reserve is stored. */
async function reserveOf(log: string): Promise<void> {
  const db = await new Promise<IDBDatabase>((resolve, reject) => {
    const opening = indexedDB.open(`tablog/${log}`);
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error!);
  });
  for (let row: unknown; row === undefined;) {
    row = await new Promise((resolve) => {
      const read = db.transaction('meta').objectStore('meta').getKey('reserve');
      read.onsuccess = () => resolve(read.result);
    });
  }
  db.close();
}

function randomBytes(size: number): Uint8Array {
  const value = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) {
    crypto.getRandomValues(value.subarray(at, Math.min(at + 65_536, size)));
  }
  return value;
}
