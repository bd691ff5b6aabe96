import { openLog } from '../../../src/index.ts';
import { now } from './now.ts';
import { LOG, records } from './tablog-cases.ts';

/** Between two records: each finds both tabs idle, as one event that a user makes does. */
const PAUSE_MS = 5;

export interface Receiver {
  /** When each record was seen. */
  readonly seen: Promise<readonly number[]>;
}

/** Resolves when whatever is sent from now on will be seen. */
export async function receive(count: number): Promise<Receiver> {
  const log = await openLog(LOG);
  await log.admin.createTopics([records]);
  const consumer = log.consumer({ topics: [records] });
  await consumer.ready;
  return { seen: seeAll() };

  async function seeAll(): Promise<readonly number[]> {
    const seen: number[] = [];
    for await (const message of consumer) {
      const at = now();
      if (message.value !== String(seen.length)) {
        throw new Error(`saw '${message.value}' where '${seen.length}' was sent`);
      }
      seen.push(at);
      if (seen.length === count) break;
    }
    await log.close();
    return seen;
  }
}

/** Sends `count` records, one after the other; resolves with when each was sent. */
export async function sendAll(count: number): Promise<readonly number[]> {
  const log = await openLog(LOG);
  const producer = log.producer({ durability: 'relaxed' });
  const sent: number[] = [];
  for (let i = 0; i < count; i++) {
    sent.push(now());
    await producer.send(records, { key: `user-${i}`, value: String(i) });
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await log.close();
  return sent;
}
