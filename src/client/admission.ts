import { isError } from '../base/brand.ts';
import { deferred } from '../base/deferred.ts';
import type { Deferred } from '../base/deferred.ts';
import { toTablogError } from '../base/error.ts';
import { Queue } from '../base/queue.ts';
import type { TopicInfo } from '../protocol/broker.ts';
import type { Sink } from './accumulator.ts';
import type { Connection } from './connection.ts';
import { outlive } from './delivery.ts';
import type { TopicRegistry } from './topic-registry.ts';
import { withOwnBytes } from './topic-writer.ts';
import type { OutgoingRecord } from './topic-writer.ts';

/** Records that wait for their topic to be known, or for room. */
interface Waiting {
  readonly name: string;
  readonly records: readonly OutgoingRecord[];
  readonly sink: Sink;
  /** For a `flush` that waits for them. */
  admitted: Deferred | undefined;
}

/** What records are let into. */
export interface Buffer {
  readonly hasRoom: boolean;
  /** Resolves when room may have come free. */
  roomMade(): Promise<void>;
  /** Whether the rules of the topic let the records pass. */
  accepts(topic: TopicInfo, records: readonly OutgoingRecord[]): boolean;
  /** Throws, and takes none, where a record breaks the topic's rules. */
  add(topic: TopicInfo, records: readonly OutgoingRecord[], sink: Sink): void;
  /** All who waited have been let in: they travel together. */
  admittedAll(): void;
}

export interface AdmissionOptions {
  readonly connection: Connection;
  readonly registry: TopicRegistry;
  readonly buffer: Buffer;
  /** How long a topic is asked for while there is no worker to be asked, in milliseconds. */
  readonly patienceMs: number;
}

/**
 * Lets records into a producer's buffer, in order, as their topics become known and room comes free:
 * at once, where both is so.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #waiting = new Queue<Waiting>();
  #isAdmitting = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Whether records are waiting, which will travel together. */
  get isAdmitting(): boolean {
    return this.#isAdmitting;
  }

  /** Throws, and takes none, where a record breaks the rules of a topic that is known. */
  accept(name: string, records: readonly OutgoingRecord[], sink: Sink): void {
    const { buffer, connection, registry } = this.#options;
    const { isLeaving } = connection.page;
    // While the page leaves, only records of topics that nobody knows are waiting.
    const topic = isLeaving ? registry.lastKnown(name) : registry.get(name);
    const isNext = isLeaving || (!this.#isAdmitting && buffer.hasRoom);
    if (topic !== undefined && isNext && (isLeaving || !this.#isRefusedByAge(topic, records))) {
      buffer.add(topic, records, sink);
      return;
    }
    // The caller may change its bytes after the call.
    this.#waiting.push({ name, records: records.map(withOwnBytes), sink, admitted: undefined });
    if (!this.#isAdmitting) void this.#admitAll();
  }

  /** Resolves when all that have been accepted so far are in the buffer; `undefined`: they are. */
  admitted(): Promise<void> | undefined {
    const { last } = this.#waiting;
    return last === undefined ? undefined : (last.admitted ??= deferred()).promise;
  }

  /** The page may be in its last turn: all go in at once, but for topics that nobody knows. */
  leave(): void {
    let before: Waiting | undefined;
    for (let left = this.#waiting.length; left > 0; left--) {
      const waiting = this.#waiting.shift()!;
      const topic = this.#options.registry.lastKnown(waiting.name);
      if (topic === undefined) {
        this.#waiting.push(waiting);
        before = waiting;
      } else {
        this.#admit(waiting, topic, before);
      }
    }
  }

  async #admitAll(): Promise<void> {
    const { buffer, registry } = this.#options;
    this.#isAdmitting = true;
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      const { name, records } = next;
      let topic: TopicInfo | Error;
      try {
        while (!buffer.hasRoom) await buffer.roomMade();
        topic = registry.get(name) ?? (await this.#load(name));
        if (this.#isRefusedByAge(topic, records)) topic = await this.#load(name);
      } catch (error) {
        topic = asError(error);
      }
      if (this.#waiting.first !== next) continue; // let in meanwhile, as the page began to leave
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

  /** Whether the topic's rules refuse the records, and may be out of date: then they are looked up. */
  #isRefusedByAge(topic: TopicInfo, records: readonly OutgoingRecord[]): boolean {
    const { buffer, registry } = this.#options;
    return !registry.isCurrent && !buffer.accepts(topic, records);
  }

  #load(name: string): Promise<TopicInfo> {
    const { connection, patienceMs, registry } = this.#options;
    return outlive(connection, patienceMs, () => registry.load(name));
  }
}

export function asError(error: unknown): Error {
  if (error instanceof Error) return error;
  // Of another realm; whoever sends tells an error by its class.
  return isError(error) ? new Error(error.message, { cause: error }) : toTablogError(error);
}
