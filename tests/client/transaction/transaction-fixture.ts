import { expect } from 'vitest';
import { string, topic } from '../../../src/index.ts';
import type { Consumer, Log, Message, Producer, Transaction } from '../../../src/index.ts';
import { Member, fill, openStubbed, readOne } from '../../support/group-fixture.ts';
import { logWith, readAll, texts } from '../../support/log-fixture.ts';
import type { StubHost } from '../../support/stub-broker.ts';
import { eventually, latch } from '../../support/waiting.ts';

/** What most transactions write to; tests that need no second partition make it as a plain topic. */
export const out = topic('out', { value: string(), partitions: 2 });
export const manual = { commit: 'manual' } as const;
export const FENCED: object = code('FENCED', { retriable: false });

/** An error of this code. */
export function code(name: string, rest: object = {}): object {
  return { code: name, ...rest };
}

export async function stored(log: Log): Promise<(string | null)[]> {
  return texts(await readAll(log, 'out'));
}

/** Topics 't' and 'out', with records '0', '1' and so on in the one partition of 't'. */
export async function chain(count = 3): Promise<Log> {
  const log = await logWith('t', 'out');
  await fill(log, count);
  return log;
}

/** A transaction of one record. */
export function say(producer: Producer, value: string): Promise<unknown> {
  return producer.transaction((tx) => tx.send('out', { value }));
}

/** Consume, transform, produce. */
export function copy(
  producer: Producer,
  consumer: Consumer,
  ...messages: Message[]
): Promise<unknown> {
  return producer.transaction((tx) => {
    tx.sendBatch('out', messages.map(asRecord));
    tx.commitOffsets(consumer);
  });
}

export function asRecord({ partition, offset }: Message): { value: string } {
  return { value: `${partition}@${offset}` };
}

/** The next messages of a loop that is not left: the last one is in hand. */
export async function readSome(consumer: Consumer, count: number): Promise<Message[]> {
  const messages: Message[] = [];
  const iterator = consumer[Symbol.asyncIterator]();
  while (messages.length < count) messages.push((await iterator.next()).value as Message);
  return messages;
}

/** A transaction that stays open until the test lets its function return. */
export function open(
  producer: Producer,
  work: (tx: Transaction) => void = () => {},
): {
  readonly begun: Promise<Transaction>;
  readonly end: () => void;
  readonly over: Promise<unknown>;
} {
  const gate = latch();
  let over!: Promise<unknown>;
  const begun = new Promise<Transaction>((resolve) => {
    over = producer.transaction(async (tx) => {
      work(tx);
      resolve(tx);
      await gate.opened;
    });
  });
  over.catch(() => {}); // a test that expects it looks
  return { begun, end: gate.open, over };
}

/** A member with the first message of 't' in hand, in a tab that does or does not hear of its group. */
export async function memberInHand({ hears }: { readonly hears: boolean }): Promise<{
  /** In another tab. */
  readonly log: Log;
  readonly stubbed: Log;
  readonly host: StubHost;
  readonly consumer: Consumer;
  readonly message: Message;
}> {
  const { log, stubbed, host } = await openStubbed('t', 'out');
  await fill(log, 3);
  if (!hears) host.hold('syncGroup');
  const { consumer } = new Member(stubbed, manual);
  const message = await readOne(consumer);
  await eventually(() => expect(host.requests('syncGroup')).not.toEqual([]));
  return { log, stubbed, host, consumer, message };
}
