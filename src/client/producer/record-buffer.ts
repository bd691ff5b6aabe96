import { TablogError } from '../../base/error.ts';
import { randomProducerId } from '../../platform/random-id.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import type { PartitionAccumulator } from '../accumulator/partition-accumulator.ts';
import type { CheckedProducerOptions } from '../accumulator/producer-options.ts';
import { TopicAccumulator } from '../accumulator/topic-accumulator.ts';
import type { Connection } from '../connection/connection.ts';
import { CERTAIN, Delivery } from '../connection/delivery.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import type { Buffer } from './admission.ts';
import { Sender } from './sender.ts';

export interface RecordBufferOptions {
  readonly connection: Connection;
  readonly topicMetadata: TopicMetadata;
  readonly options: CheckedProducerOptions;
  readonly random: () => number;
}

/**
 * The records that a producer has accepted and not settled (Kafka's `RecordAccumulator`): the
 * accumulators of its topics, and the number of bytes buffered and in flight.
 */
export class RecordBuffer implements Buffer {
  /** Sends the batches of the buffer. */
  readonly sender: Sender;
  readonly #options: RecordBufferOptions;
  readonly #topics = new Map<string, TopicAccumulator>();
  /** The id of an idempotent producer; `undefined` for other producers. */
  readonly #producerId: number | undefined;
  #bytes = 0;
  #isDrainQueued = false;

  constructor(given: RecordBufferOptions) {
    const { connection, topicMetadata, options, random } = given;
    this.#options = given;
    this.#producerId = options.idempotent ? randomProducerId() : undefined;
    this.sender = new Sender(connection, options, random, (batch, result) => {
      if (result instanceof TablogError && result.code === 'UNKNOWN_TOPIC') topicMetadata.forget();
      this.#bytes -= batch.byteLength;
    });
  }

  /**
   * `deliveryTimeoutMs` of the batches: 0 for a producer that is not idempotent, because without
   * sequence numbers a retry could be stored twice.
   */
  get deliveryTimeoutMs(): number {
    const { idempotent, deliveryTimeoutMs } = this.#options.options;
    return idempotent ? deliveryTimeoutMs : 0;
  }

  get hasRoom(): boolean {
    return this.#bytes < this.#options.options.bufferBytes;
  }

  roomMade(): Promise<void> {
    return this.sender.someSettled();
  }

  topic(topic: TopicInfo): TopicAccumulator {
    let accumulator = this.#topics.get(topic.name);
    if (accumulator === undefined || accumulator.topicId !== topic.id) {
      const { connection, options, random } = this.#options;
      accumulator = new TopicAccumulator(topic, {
        batchBytes: options.batchBytes,
        partitioner: options.partitioner,
        random,
        newDelivery: (since) =>
          new Delivery(connection.clock, this.deliveryTimeoutMs, { since, certain: CERTAIN }),
        producerId: this.#producerId,
        onSealed: (batch) => this.sender.sealed(batch),
      });
      this.#topics.set(topic.name, accumulator);
    } else {
      accumulator.update(topic);
    }
    return accumulator;
  }

  /** Counts bytes that were added to the accumulator, which now has records to send. */
  added(accumulator: PartitionAccumulator, bytes: number): void {
    this.#bytes += bytes;
    this.sender.add(accumulator);
  }

  /** Sends the due batches at the end of the turn, so that records of one turn share batches. */
  drainSoon(): void {
    if (this.#isDrainQueued) return;
    this.#isDrainQueued = true;
    queueMicrotask(() => {
      this.#isDrainQueued = false;
      this.sender.drain('due');
    });
  }

  admittedAll(): void {
    this.sender.drain('due');
  }
}
