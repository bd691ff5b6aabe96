import { isDeadLetter } from '../poll/dead-letter-headers.ts';
import { batchOf } from '../poll/message-batch.ts';
import { MAX_POLL_RECORDS } from '../poll/message-loop.ts';
import type { MessageLoop } from '../poll/message-loop.ts';
import { RoundRobin } from '../poll/round-robin.ts';
import type { PolledRecord } from '../poll/round-robin.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { TopicSubscription } from '../fetch/topic-subscription.ts';
import { Undecodable } from '../message/decode-record.ts';
import type { Message } from '../message/message.ts';
import { RawRecord } from '../message/raw-record.ts';
import { BatchCollector } from './batch-collector.ts';
import type { CollectedBatch } from './batch-collector.ts';
import type { CheckedRunOptions } from './check-run-options.ts';
import { keyShard, partitionShard } from './work-item.ts';
import type { WorkQueue } from './work-queue.ts';
import type { Clock } from '../../platform/clock.ts';

export interface WorkPollerOptions {
  readonly subscription: TopicSubscription;
  readonly readers: readonly PartitionReader[];
  readonly loop: MessageLoop;
  /** Aborts when the consumer closes. */
  readonly closing: AbortSignal;
  readonly run: CheckedRunOptions;
  readonly queue: WorkQueue;
  readonly clock: Clock;
  /** Called when a batch has waited for `maxWaitMs`. */
  readonly onBatchDue: () => void;
}

/**
 * The most items of one partition in the queue, for each handler that may run. More than one item
 * lets handlers go on with other keys while one key waits.
 */
const ITEMS_PER_HANDLER = 4;

/** Moves messages from the loop into the queue: one by one, or collected into batches. */
export class WorkPoller {
  readonly #options: WorkPollerOptions;
  readonly #roundRobin: RoundRobin;
  /** The open batches; `undefined` where messages are handled one by one. */
  readonly #collector: BatchCollector | undefined;

  constructor(options: WorkPollerOptions) {
    this.#options = options;
    const { run, readers, clock, onBatchDue } = options;
    const { batches, concurrency } = run;
    const isInOrder = concurrency === 1 && batches === undefined;
    this.#roundRobin = new RoundRobin(readers, isInOrder ? MAX_POLL_RECORDS : 1);
    this.#collector =
      batches &&
      new BatchCollector({
        ...batches,
        clock,
        isPassedOver: (reader, message) => this.#isPassedOver(reader, message),
        onDue: onBatchDue,
      });
  }

  /**
   * Polls once: a batch that is full or due, and one record. Returns false where neither is ready.
   */
  poll(): boolean {
    const isCollected = this.#pollBatch();
    const polled = this.#options.loop.poll(this.#roundRobin, (reader) => this.#hasRoom(reader));
    if (polled === undefined) return isCollected;
    const { message, reader } = polled;
    const isCollectable =
      this.#collector !== undefined &&
      !(message instanceof Undecodable) &&
      !this.#isPassedOver(reader, message);
    if (isCollectable) {
      this.#collector.begin(reader, message);
      this.#pollBatch();
    } else this.#addRecord(polled);
    return true;
  }

  /** Drops the open batch of a partition; the next member reads its messages. */
  giveUp(reader: PartitionReader): void {
    this.#collector?.giveUp(reader);
  }

  /** Puts the messages of all open batches back, to be polled again. */
  putBack(): void {
    this.#collector?.putBack();
  }

  /** Drops all open batches and cancels their timers. */
  close(): void {
    this.#collector?.close();
  }

  #hasRoom(reader: PartitionReader): boolean {
    const { queue, run } = this.#options;
    const count = queue.countOf(reader);
    if (this.#collector === undefined) return count < run.concurrency * ITEMS_PER_HANDLER;
    return count === 0 && !this.#collector.has(reader);
  }

  #pollBatch(): boolean {
    const { loop } = this.#options;
    const batch = loop.mayDeliver ? this.#collector?.takeReady() : undefined;
    if (batch === undefined) return false;
    this.#addBatch(batch);
    loop.pump();
    return true;
  }

  #addBatch({ reader, seekVersion, messages, records, next }: CollectedBatch): void {
    const { offset } = messages[0]!;
    this.#options.queue.add({
      reader,
      records,
      delivery: reader.progress?.deliver(offset, next),
      subject: batchOf(reader, messages, this.#options.closing),
      undecodable: undefined,
      isPassedOver: false,
      offset,
      seekVersion,
      shardKey: partitionShard(reader),
    });
  }

  /** Adds a single record: a message, or a record that cannot be part of a batch. */
  #addRecord({ message: polled, reader }: PolledRecord): void {
    const { closing, queue, run } = this.#options;
    const undecodable = polled instanceof Undecodable ? polled : undefined;
    const message: Message = polled instanceof Undecodable ? polled.message : polled;
    const record = new RawRecord(reader.cursor!);
    const { offset } = message;
    const isBatch = run.batches !== undefined;
    queue.add({
      reader,
      records: [record],
      delivery: reader.progress?.deliver(offset, offset + 1),
      subject: isBatch ? batchOf(reader, [message], closing) : message,
      undecodable,
      isPassedOver: undecodable === undefined && this.#isPassedOver(reader, message),
      offset,
      seekVersion: reader.state.seekVersion,
      shardKey: isBatch ? partitionShard(reader) : this.#shardOf(reader, record),
    });
  }

  /**
   * With one handler, all messages are one shard, so that each message is handled after all earlier
   * messages.
   */
  #shardOf(reader: PartitionReader, record: RawRecord): string {
    return this.#options.run.concurrency === 1 ? '' : keyShard(reader, record);
  }

  /**
   * Whether a message is a dead letter in a topic that the consumer reads by a pattern. If such a
   * dead letter failed again, it would be stored in the same topic and read again, for ever.
   */
  #isPassedOver({ topic: { name } }: PartitionReader, { headers }: Message): boolean {
    const { run, subscription } = this.#options;
    if (headers.length === 0 || run.deadLetterTopic === undefined) return false;
    return isDeadLetter(name, headers) && !subscription.isNamed(name);
  }
}
