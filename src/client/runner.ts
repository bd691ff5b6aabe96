import { deferred } from '../base/deferred.ts';
import type { Connection } from './connection.ts';
import { bury } from './dead-letter.ts';
import { Message } from './message.ts';
import type { TopicFilter } from './message.ts';
import type { PartitionReader } from './partition-reader.ts';
import { TURN_MESSAGES, throwIfDeleted } from './reading.ts';
import type { Reading } from './reading.ts';
import { actionFor, checkRunOptions } from './run-options.ts';
import type { CheckedRunOptions, RunOptions } from './run-options.ts';
import { asTopic } from './topic.ts';
import type { TopicRegistry } from './topic-registry.ts';
import { Turns } from './turns.ts';
import type { Delivery, Job } from './turns.ts';

/** What a runner needs of its consumer. */
export interface RunnerSource {
  readonly connection: Connection;
  readonly registry: TopicRegistry;
  /** Aborts when the consumer closes. */
  readonly closing: AbortSignal;
  readonly readers: readonly PartitionReader[];
  readonly reading: Reading;
}

/** How many messages are taken for each handler, so that there are other keys to go on with. */
const TAKEN_A_HANDLER = 4;

/**
 * Checks the options, and that there is a topic for dead letters where one is named. Throws a
 * `TypeError` or `RangeError`, or `UNKNOWN_TOPIC`.
 */
export async function startRunner<T extends TopicFilter>(
  options: RunOptions<T>,
  source: RunnerSource,
): Promise<Runner> {
  const checked = checkRunOptions(options);
  const { deadLetterTopic } = checked;
  if (deadLetterTopic !== undefined) await source.registry.load(asTopic(deadLetterTopic).name);
  return new Runner(source, checked);
}

/**
 * Runs handlers side by side. Messages of one key, in one partition, come one after the other, and
 * so do all messages without a key.
 */
class Runner {
  readonly #source: RunnerSource;
  readonly #reading: Reading;
  readonly #options: CheckedRunOptions;
  readonly #turns: Turns;
  /** Those that must come one after the other; the first of each runs or is the next to. */
  readonly #lanes = new Map<string, Job[]>();
  readonly #running = new Set<Job>();
  /** Those that wait for their next attempt, and how to wake them. */
  readonly #backingOff = new Map<Job, () => void>();
  /** How many jobs of each partition there are. */
  readonly #taken = new Map<PartitionReader, number>();
  /** They come again when the run is over: not earlier, because those before them may still run. */
  readonly #dropped: Job[] = [];
  #failure: { readonly error: unknown } | undefined;
  #ended = deferred();

  constructor(source: RunnerSource, options: CheckedRunOptions) {
    this.#source = source;
    this.#reading = source.reading;
    this.#options = options;
    const { concurrency } = options;
    this.#turns = new Turns(source.readers, concurrency === 1 ? TURN_MESSAGES : 1);
  }

  /** Until the consumer closes; or until a message stops it: then it rejects with that error. */
  async run(): Promise<void> {
    const { closing } = this.#source;
    try {
      while (!closing.aborted && this.#failure === undefined) {
        const { arrival } = this.#reading;
        const ended = this.#ended.promise;
        const delivery = this.#isFull
          ? undefined
          : this.#reading.take(this.#turns, (reader) => this.#hasRoom(reader));
        if (delivery !== undefined) this.#enqueue(delivery);
        this.#startAll(); // also those of partitions that were paused
        if (this.#isFull) await Promise.race([arrival, ended]);
        else if (delivery === undefined) await Promise.race([this.#reading.more(arrival), ended]);
      }
    } finally {
      this.#dropWaiting(() => true);
      while (this.#running.size > 0 && !closing.aborted) await this.#ended.promise;
      if (!closing.aborted) this.#rewind();
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    throwIfDeleted(closing);
  }

  /** Begins nothing more of a partition. */
  giveUp(reader: PartitionReader): void {
    this.#dropWaiting((job) => job.reader === reader);
    for (const [job, wake] of this.#backingOff) if (job.reader === reader) wake();
  }

  /** One after the other: then nothing is taken before its time. */
  get #isFull(): boolean {
    return this.#options.concurrency === 1 && this.#lanes.size > 0;
  }

  #hasRoom(reader: PartitionReader): boolean {
    const { concurrency } = this.#options;
    return (this.#taken.get(reader) ?? 0) < concurrency * TAKEN_A_HANDLER;
  }

  #enqueue({ message, reader }: Delivery): void {
    const handed = reader.hold?.begin(message.offset, message.offset + 1);
    const lane = this.#options.concurrency === 1 ? '' : Message.laneOf(message);
    const job: Job = { message, reader, handed, epoch: reader.epoch, lane };
    const jobs = this.#lanes.get(lane);
    if (jobs === undefined) this.#lanes.set(lane, [job]);
    else jobs.push(job);
    this.#taken.set(reader, (this.#taken.get(reader) ?? 0) + 1);
  }

  #startAll(): void {
    for (const [job] of this.#lanes.values()) {
      if (this.#running.size >= this.#options.concurrency || !this.#reading.mayDeliver) return;
      if (!this.#running.has(job!) && !job!.reader.paused) void this.#start(job!);
    }
  }

  async #start(job: Job): Promise<void> {
    this.#running.add(job);
    try {
      if (job.reader.epoch === job.epoch) await this.#handle(job);
    } catch (error) {
      this.#failure ??= { error };
      this.#drop(job);
      for (const wake of this.#backingOff.values()) wake();
    }
    this.#running.delete(job);
    this.#remove(job);
    if (this.#failure === undefined) this.#startAll();
    this.#ended.resolve();
    this.#ended = deferred();
  }

  /** Calls the handler until it succeeds or something else is to be done. Throws to stop the run. */
  async #handle(job: Job): Promise<void> {
    const { message, reader } = job;
    const signal = reader.hold?.signal ?? this.#source.closing;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#options.eachMessage(message, { signal, attempt });
        return end(job, 'processed');
      } catch (error) {
        if (this.#isOver(job)) return this.#drop(job);
        const action = await actionFor(this.#options, error, message, attempt);
        if (action === 'stop') throw error;
        if (action === 'deadLetter' && !(await this.#bury(job, error, attempt))) {
          return this.#drop(job);
        }
        if (action !== 'retry') return end(job, 'processed');
        await this.#backOff(job, attempt);
      }
      if (this.#isOver(job)) return this.#drop(job);
    }
  }

  #bury(job: Job, error: unknown, attempts: number): Promise<boolean> {
    const { connection, registry } = this.#source;
    const topic = asTopic(this.#options.deadLetterTopic!);
    return bury({ connection, registry, topic }, job, error, attempts);
  }

  /** Whether nobody wants a message handled any more: it comes again, here or elsewhere. */
  #isOver({ reader, epoch }: Job): boolean {
    const isGone = reader.stopped || reader.epoch !== epoch;
    return isGone || this.#source.closing.aborted || this.#failure !== undefined;
  }

  async #backOff(job: Job, attempt: number): Promise<void> {
    const { backoffMs, maxBackoffMs } = this.#options;
    const over = deferred();
    const wake = (): void => over.resolve();
    const ms = Math.min(backoffMs * 2 ** (attempt - 1), maxBackoffMs);
    const cancel = this.#source.connection.clock.after(ms, wake);
    this.#source.closing.addEventListener('abort', wake, { once: true });
    this.#backingOff.set(job, wake);
    await over.promise;
    while (!this.#reading.mayDeliver && !this.#isOver(job)) {
      await Promise.race([this.#reading.arrival, this.#ended.promise]);
    }
    this.#backingOff.delete(job);
    this.#source.closing.removeEventListener('abort', wake);
    cancel();
  }

  #drop(job: Job): void {
    end(job, 'dropped');
    const { reader, epoch } = job;
    if (!reader.stopped && reader.epoch === epoch) this.#dropped.push(job);
  }

  #dropWaiting(which: (job: Job) => boolean): void {
    for (const job of [...this.#lanes.values()].flat()) {
      if (this.#running.has(job) || !which(job)) continue;
      this.#drop(job);
      this.#remove(job);
    }
  }

  /** Has what was dropped read again, from the first of each partition. */
  #rewind(): void {
    for (const reader of new Set(this.#dropped.map((job) => job.reader))) {
      const offsets = this.#dropped.flatMap(({ reader: of, epoch, message: { offset } }) =>
        of === reader && epoch === reader.epoch ? offset : [],
      );
      if (offsets.length > 0 && !reader.stopped) reader.seek(Math.min(...offsets));
    }
  }

  #remove(job: Job): void {
    const { lane, reader } = job;
    const jobs = this.#lanes.get(lane)!.filter((other) => other !== job);
    if (jobs.length === 0) this.#lanes.delete(lane);
    else this.#lanes.set(lane, jobs);
    const taken = this.#taken.get(reader)! - 1;
    if (taken === 0) this.#taken.delete(reader);
    else this.#taken.set(reader, taken);
  }
}

function end({ reader, handed }: Job, how: 'processed' | 'dropped'): void {
  if (handed !== undefined) reader.hold!.end(handed, how);
}

export type { Runner };
