import { isError } from '../../base/brand.ts';
import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { toTablogError } from '../../base/error.ts';
import { Queue } from '../../base/queue.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import type { Sink } from '../accumulator/partition-accumulator.ts';
import type { Connection } from '../connection/connection.ts';
import { outlive } from '../connection/delivery.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import { withOwnBytes } from '../accumulator/topic-accumulator.ts';
import type { OutgoingRecord } from '../accumulator/topic-accumulator.ts';

/** Records that wait until their topic is known, or for room. */
interface Waiting {
  readonly name: string;
  readonly records: readonly OutgoingRecord[];
  readonly sink: Sink;
  /** Resolves once the records are in the buffer; present when a `flush` waits for them. */
  admitted: Deferred | undefined;
}

/** The buffer that records are admitted to. */
export interface Buffer {
  readonly hasRoom: boolean;
  /** Resolves when room may have been made. */
  roomMade(): Promise<void>;
  /** Whether the records keep the topic's rules. */
  accepts(topic: TopicInfo, records: readonly OutgoingRecord[]): boolean;
  /** Adds all records; throws, and adds none, where one breaks the topic's rules. */
  add(topic: TopicInfo, records: readonly OutgoingRecord[], sink: Sink): void;
  /** Called when every waiting record has been admitted: they travel together. */
  admittedAll(): void;
}

export interface AdmissionOptions {
  readonly connection: Connection;
  readonly topicMetadata: TopicMetadata;
  readonly buffer: Buffer;
  /** How long to keep asking for a topic while no worker can be asked, in milliseconds. */
  readonly patienceMs: number;
}

/**
 * Admits records to a producer's buffer, in order, once their topic is known and there is room:
 * within the call, where both hold already.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #waiting = new Queue<Waiting>();
  #isAdmitting = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Whether records are waiting to be admitted. They will travel together. */
  get isAdmitting(): boolean {
    return this.#isAdmitting;
  }

  /**
   * Takes the records. Throws, and takes none, where one breaks the rules of a topic that is known.
   */
  accept(name: string, records: readonly OutgoingRecord[], sink: Sink): void {
    const { buffer, connection, topicMetadata } = this.#options;
    const { isLeaving } = connection.page;
    // While the page leaves, only records of topics not yet known are waiting.
    const topic = isLeaving ? topicMetadata.lastKnown(name) : topicMetadata.get(name);
    const isNext = isLeaving || (!this.#isAdmitting && buffer.hasRoom);
    if (topic !== undefined && isNext && (isLeaving || !this.#isRefusedByAge(topic, records))) {
      buffer.add(topic, records, sink);
      return;
    }
    // The caller may reuse its buffers after the call.
    this.#waiting.push({ name, records: records.map(withOwnBytes), sink, admitted: undefined });
    if (!this.#isAdmitting) void this.#admitAll();
  }

  /**
   * Resolves when all records accepted so far are in the buffer; `undefined` when they already are.
   */
  admitted(): Promise<void> | undefined {
    const { last } = this.#waiting;
    return last === undefined ? undefined : (last.admitted ??= deferred()).promise;
  }

  /** Admits all records of known topics at once: the page may be in its last turn. */
  leave(): void {
    let before: Waiting | undefined;
    for (let left = this.#waiting.length; left > 0; left--) {
      const waiting = this.#waiting.shift()!;
      const topic = this.#options.topicMetadata.lastKnown(waiting.name);
      if (topic === undefined) {
        this.#waiting.push(waiting);
        before = waiting;
      } else {
        this.#admit(waiting, topic, before);
      }
    }
  }

  async #admitAll(): Promise<void> {
    const { buffer, topicMetadata } = this.#options;
    this.#isAdmitting = true;
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      const { name, records } = next;
      let topic: TopicInfo | Error;
      try {
        while (!buffer.hasRoom) await buffer.roomMade();
        topic = topicMetadata.get(name) ?? (await this.#load(name));
        if (this.#isRefusedByAge(topic, records)) topic = await this.#load(name);
      } catch (error) {
        topic = asError(error);
      }
      if (this.#waiting.first !== next) continue; // `leave()` admitted it meanwhile
      this.#waiting.shift();
      this.#admit(next, topic);
    }
    this.#isAdmitting = false;
    buffer.admittedAll();
  }

  /** `before`: it waits on, and came earlier. */
  #admit({ records, sink, admitted }: Waiting, topic: TopicInfo | Error, before?: Waiting): void {
    try {
      if (topic instanceof Error) throw topic;
      this.#options.buffer.add(topic, records, sink);
    } catch (error) {
      records.forEach((_, i) => sink(i, asError(error)));
    }
    if (admitted === undefined) return;
    // A flush waits for all that was sent before it.
    if (before === undefined) admitted.resolve();
    else void (before.admitted ??= deferred()).promise.then(admitted.resolve);
  }

  /**
   * Whether the topic's rules, as remembered, refuse the records and may be out of date: a look-up
   * decides.
   */
  #isRefusedByAge(topic: TopicInfo, records: readonly OutgoingRecord[]): boolean {
    const { buffer, topicMetadata } = this.#options;
    return !topicMetadata.isCurrent && !buffer.accepts(topic, records);
  }

  #load(name: string): Promise<TopicInfo> {
    const { connection, patienceMs, topicMetadata } = this.#options;
    return outlive(connection, patienceMs, () => topicMetadata.load(name));
  }
}

export function asError(error: unknown): Error {
  if (error instanceof Error) return error;
  // An error of another realm is wrapped: `sink` tells errors by `instanceof`.
  return isError(error) ? new Error(error.message, { cause: error }) : toTablogError(error);
}
