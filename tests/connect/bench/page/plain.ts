import { jetstream } from '@nats-io/jetstream';
import { BATCH } from '../job.ts';
import type { Delivered, Job } from '../job.ts';
import { connectToNats } from './nats.ts';
import { partsOf } from './records.ts';
import type { Part } from './records.ts';

/** A record with the fields that a sink posts. */
interface PlainRecord {
  readonly id: string;
  readonly topic: string;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: null;
  readonly value: string;
  readonly headers: readonly never[];
}

/** Resolves when the target has acked the batch. */
type Send = (part: Part, records: readonly PlainRecord[]) => Promise<unknown>;

/**
 * Sends records, which are in the page's memory, by the target's own client: each batch when the one
 * before is acked. The partitions are sent side by side, as a connector's are.
 */
export async function deliver(job: Job): Promise<Delivered> {
  const { warmUp, measured } = partsOf(job);
  const target = await open(job);
  await sendAll(target.send, warmUp);
  const delivered = await sendAll(target.send, measured);
  await target.close?.();
  return delivered;
}

async function sendAll(send: Send, parts: readonly Part[]): Promise<Delivered> {
  const made = parts.map((part) => ({ part, records: recordsOf(part) }));
  let batches = 0;
  const began = performance.now();
  await Promise.all(
    made.map(async ({ part, records }) => {
      for (let at = 0; at < records.length; at += BATCH) {
        batches++;
        await send(part, records.slice(at, at + BATCH));
      }
    }),
  );
  return { ms: performance.now() - began, batches };
}

function recordsOf({ topic, partition, values }: Part): PlainRecord[] {
  const topicId = crypto.randomUUID();
  const timestamp = Date.now();
  return values.map((value, offset) => {
    const id = `${topicId}-${partition}-${offset}`;
    return { id, topic, offset, timestamp, key: null, value, headers: [] };
  });
}

async function open(job: Job): Promise<{ send: Send; close?: () => Promise<unknown> }> {
  const { path, url } = job;
  if (path === 'nats') {
    const connection = await connectToNats(url);
    const client = jetstream(connection);
    return {
      send: ({ topic, partition }, records) =>
        client.publish(`plain.${topic}.${partition}`, JSON.stringify(records)),
      close: () => connection.close(),
    };
  }
  if (path === 'mirror') return { send: overSocket(await opened(new WebSocket(url))) };
  const urlOf = ({ topic, partition }: Part): string => `${url}/${topic}/${partition}`;
  if (path === 'durable-streams') {
    const { warmUp, measured } = partsOf(job);
    for (const part of [...warmUp, ...measured]) await request('PUT', urlOf(part));
    // One message of the stream, as a batch of a sink is.
    return { send: (part, records) => request('POST', urlOf(part), JSON.stringify({ records })) };
  }
  return { send: (part, records) => request('POST', urlOf(part), JSON.stringify(records)) };
}

async function request(method: string, url: string, body?: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method, headers, ...(body !== undefined && { body }) });
  await response.text();
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
}

async function opened(socket: WebSocket): Promise<WebSocket> {
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', () => reject(new Error(`no socket to ${socket.url}`)));
  });
  return socket;
}

function overSocket(socket: WebSocket): Send {
  const acks = new Map<number, () => void>();
  let last = 0;
  socket.addEventListener('message', ({ data }) => {
    const id = Number(data);
    acks.get(id)?.();
    acks.delete(id);
  });
  return ({ topic, partition }, records) =>
    new Promise<void>((resolve) => {
      acks.set(++last, resolve);
      socket.send(JSON.stringify({ id: last, topic, partition, records }));
    });
}
