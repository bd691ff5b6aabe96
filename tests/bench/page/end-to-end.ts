import { openLog } from '../../../src/index.ts';
import { now } from './now.ts';
import { LOG, inMemory, records } from './tablog-cases.ts';
import type { BenchTopic } from './tablog-cases.ts';

/** Between two records: each finds both tabs idle, as one event that a user makes does. */
const PAUSE_MS = 5;

/** What records go through from tab to tab; a bare BroadcastChannel for comparison. */
export type Way = 'disk' | 'memory' | 'channel';

export interface Receiver {
  /** When each record was seen. */
  readonly seen: Promise<readonly number[]>;
}

/** Resolves when whatever is sent from now on will be seen. */
export async function receive(way: Way, count: number): Promise<Receiver> {
  return way === 'channel' ? receiveFromChannel(count) : receiveFromLog(topicOf(way), count);
}

/** Sends `count` records, one after the other; resolves with when each was sent. */
export async function sendAll(way: Way, count: number): Promise<readonly number[]> {
  const { send, close } = way === 'channel' ? sendToChannel() : await sendToLog(topicOf(way));
  const sent: number[] = [];
  for (let i = 0; i < count; i++) {
    sent.push(now());
    await send(i);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await close();
  return sent;
}

interface Sending {
  readonly send: (i: number) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

function topicOf(way: 'disk' | 'memory'): BenchTopic {
  return way === 'disk' ? records : inMemory;
}

async function receiveFromLog(topic: BenchTopic, count: number): Promise<Receiver> {
  const log = await openLog(LOG);
  await log.admin.createTopics([topic]);
  const consumer = log.consumer({ topics: [topic] });
  await consumer.ready;
  return { seen: seeAll() };

  async function seeAll(): Promise<readonly number[]> {
    const seen: number[] = [];
    for await (const message of consumer) {
      const at = now();
      if (message.value !== String(seen.length)) throw unexpected(message.value, seen.length);
      seen.push(at);
      if (seen.length === count) break;
    }
    await log.close();
    return seen;
  }
}

async function sendToLog(topic: BenchTopic): Promise<Sending> {
  const log = await openLog(LOG);
  const producer = log.producer({ durability: 'relaxed' });
  return {
    send: (i) => producer.send(topic, { key: `user-${i}`, value: String(i) }),
    close: () => log.close(),
  };
}

function receiveFromChannel(count: number): Receiver {
  const channel = new BroadcastChannel(LOG);
  const seen: number[] = [];
  return {
    seen: new Promise((resolve, reject) => {
      channel.addEventListener('message', ({ data }: MessageEvent<{ value: string }>) => {
        const at = now();
        if (data.value !== String(seen.length)) return reject(unexpected(data.value, seen.length));
        if (seen.push(at) < count) return;
        channel.close();
        resolve(seen);
      });
    }),
  };
}

function sendToChannel(): Sending {
  const channel = new BroadcastChannel(LOG);
  return {
    send: async (i) => channel.postMessage({ key: `user-${i}`, value: String(i) }),
    close: async () => channel.close(),
  };
}

function unexpected(value: string | null, expected: number): Error {
  return new Error(`saw '${value}' where '${expected}' was sent`);
}
