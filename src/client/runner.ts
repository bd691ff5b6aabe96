import { deferred } from '../base/deferred.ts';
import { BatchCollector } from './batch-collector.ts';
import { bury } from './dead-letter.ts';
import { isDeadLetter } from './dead-letter-headers.ts';
import { decodeErrorAction } from './decode-errors.ts';
import type { DecodeErrorPolicy } from './decode-errors.ts';
import { Undecodable } from './decode-record.ts';
import { endJob, laneOf } from './job.ts';
import type { Job } from './job.ts';
import type { Message, TopicFilter } from './message.ts';
import type { PartitionReader } from './partition-reader.ts';
import { PutOffJobs } from './put-off-jobs.ts';
import { TURN_MESSAGES, batchOf, throwIfDeleted } from './reading.ts';
import type { Reading } from './reading.ts';
import { RetryAfter } from './retry-after.ts';
import { checkRunOptions, verdictOn } from './run-options.ts';
import type { BatchRunOptions, CheckedRunOptions, RunOptions, Verdict } from './run-options.ts';
import { asTopic } from './topic.ts';
import type { TopicSelection } from './topic-selection.ts';
import { Turns } from './turns.ts';
import type { Delivery } from './turns.ts';

/** What a runner needs of its consumer. */
export interface RunnerSource {
  readonly selection: TopicSelection;
  /** Aborts when the consumer closes. */
  readonly closing: AbortSignal;
  readonly readers: readonly PartitionReader[];
  readonly reading: Reading;
  readonly decodeErrors: DecodeErrorPolicy;
  /** The consumer was given an `onDecodeError`, which goes before the run's `onError`. */
  readonly decidesOnDecodeErrors: boolean;
}

/** How many messages are taken for each handler, so that there are other keys to go on with. */
const TAKEN_A_HANDLER = 4;

/**
 * Checks the options, and that there is a topic for dead letters where one is named. Throws a
 * `TypeError` or `RangeError`, or `UNKNOWN_TOPIC`.
 */
export async function startRunner<T extends TopicFilter>(
  options: RunOptions<T> | BatchRunOptions<T>,
  source: RunnerSource,
): Promise<Runner> {
  const { decodeErrors, selection } = source;
  const checked = checkRunOptions(options, decodeErrors.deadLetterTopic);
  const { deadLetterTopic } = checked;
  selection.checkDeadLetterTopic(deadLetterTopic);
  if (deadLetterTopic !== undefined) {
    await decodeErrors.registry.load(asTopic(deadLetterTopic).name);
  }
  return new Runner(source, checked);
}

/**
 * Runs handlers side by side. Messages of one key, in one partition, come one after the other, and
 * so do all messages without a key; with `eachBatch`, all batches of a partition.
 */
class Runner {
  readonly #source: RunnerSource;
  readonly #reading: Reading;
  readonly #options: CheckedRunOptions;
  readonly #turns: Turns;
  /** Those that must come one after the other; the first of each runs or is the next to. */
  readonly #lanes = new Map<string, Job[]>();
  readonly #running = new Set<Job>();
  readonly #putOff: PutOffJobs;
  readonly #collector: BatchCollector | undefined;
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
    const { batches, concurrency } = options;
    const isInOrder = concurrency === 1 && batches === undefined;
    this.#turns = new Turns(source.readers, isInOrder ? TURN_MESSAGES : 1);
    const { clock } = source.decodeErrors.connection;
    this.#putOff = new PutOffJobs(clock);
    this.#collector =
      batches &&
      new BatchCollector({
        ...batches,
        clock,
        isPassedOver: (reader, message) => this.#passesOver(reader, message),
        onDue: () => this.#wake(),
      });
  }

  /** Until the consumer closes; or until a message stops it: then it rejects with that error. */
  async run(): Promise<void> {
    const { closing } = this.#source;
    try {
      while (!closing.aborted && this.#failure === undefined) {
        const { arrival } = this.#reading;
        const ended = this.#ended.promise;
        this.#putOff.wake((job) => this.#isOver(job)); // somebody may have sought
        const isTaken = !this.#isFull && this.#take();
        this.#startAll(); // also those of partitions that were paused
        if (this.#isFull) await Promise.race([arrival, ended]);
        else if (!isTaken) await Promise.race([this.#reading.more(arrival), ended]);
      }
    } catch (error) {
      this.#failure ??= { error };
    }
    this.#putOff.wake(() => true);
    this.#dropWaiting(() => true);
    while (this.#running.size > 0 && !closing.aborted) await this.#ended.promise;
    if (!closing.aborted) this.#rewind();
    this.#collector?.close();
    if (this.#failure !== undefined) throw this.#failure.error;
    throwIfDeleted(closing);
  }

  /** Begins nothing more of a partition. */
  giveUp(reader: PartitionReader): void {
    this.#collector?.giveUp(reader);
    this.#dropWaiting((job) => job.reader === reader);
    this.#putOff.wake((job) => job.reader === reader);
  }

  /** One after the other: then nothing is taken before its time. */
  get #isFull(): boolean {
    const { batches, concurrency } = this.#options;
    if (batches !== undefined) return this.#lanes.size >= concurrency;
    return concurrency === 1 && this.#lanes.size > 0;
  }

  #hasRoom(reader: PartitionReader): boolean {
    const taken = this.#taken.get(reader) ?? 0;
    if (this.#collector === undefined) return taken < this.#options.concurrency * TAKEN_A_HANDLER;
    return taken === 0 && !this.#collector.has(reader);
  }

  /** Takes what is at hand, for now; `false`: there is nothing. */
  #take(): boolean {
    const isCollected = this.#takeBatch();
    const delivery = this.#reading.take(this.#turns, (reader) => this.#hasRoom(reader));
    if (delivery === undefined) return isCollected;
    const { message, reader } = delivery;
    if (this.#collector === undefined || message instanceof Undecodable) this.#enqueue(delivery);
    else if (this.#passesOver(reader, message)) this.#enqueue(delivery);
    else {
      this.#collector.begin(reader, message);
      this.#takeBatch();
    }
    return true;
  }

  #takeBatch(): boolean {
    const batch = this.#reading.mayDeliver ? this.#collector?.take() : undefined;
    if (batch === undefined) return false;
    const { reader, epoch, messages, records, next } = batch;
    const { offset } = messages[0]!;
    this.#add({
      reader,
      records,
      handed: reader.hold?.begin(offset, next),
      subject: batchOf(reader, messages, this.#source.closing),
      undecodable: undefined,
      isPassedOver: false,
      offset,
      epoch,
      lane: reader.source.idPrefix,
    });
    this.#reading.pump();
    return true;
  }

  #enqueue({ message: found, reader }: Delivery): void {
    const undecodable = found instanceof Undecodable ? found : undefined;
    const message: Message = found instanceof Undecodable ? found.message : found;
    const { concurrency, batches } = this.#options;
    const { record, epoch, source } = reader;
    const { offset } = message;
    const isAlone = batches === undefined;
    const ownLane = concurrency === 1 ? '' : laneOf(reader, record);
    this.#add({
      reader,
      records: [record],
      handed: reader.hold?.begin(offset, offset + 1),
      subject: isAlone ? message : batchOf(reader, [message], this.#source.closing),
      undecodable,
      isPassedOver: undecodable === undefined && this.#passesOver(reader, message),
      offset,
      epoch,
      lane: isAlone ? ownLane : source.idPrefix,
    });
  }

  #add(job: Job): void {
    const { lane, reader } = job;
    const jobs = this.#lanes.get(lane);
    if (jobs === undefined) this.#lanes.set(lane, [job]);
    else jobs.push(job);
    this.#taken.set(reader, (this.#taken.get(reader) ?? 0) + 1);
  }

  /** Whether it is a dead letter that the consumer came upon by a pattern: nobody's to bury again. */
  #passesOver({ topic: { name } }: PartitionReader, { headers }: Message): boolean {
    if (headers.length === 0 || this.#options.deadLetterTopic === undefined) return false;
    return isDeadLetter(name, headers) && !this.#source.selection.isNamed(name);
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
      this.#putOff.wake(() => true);
    }
    this.#running.delete(job);
    this.#remove(job);
    if (this.#failure === undefined) this.#startAll();
    this.#wake();
  }

  #wake(): void {
    this.#ended.resolve();
    this.#ended = deferred();
  }

  /** Calls the handler until it succeeds or something else is to be done. Throws to stop the run. */
  async #handle(job: Job): Promise<void> {
    if (job.isPassedOver) return endJob(job, 'processed');
    let failures = 0;
    for (let attempt = 1; ; attempt++) {
      const failed = await this.#attempt(job, attempt);
      if (failed === undefined) return endJob(job, 'processed');
      if (this.#isOver(job)) return this.#drop(job);
      const { error } = failed;
      if (RetryAfter.msOf(error) === undefined) failures++;
      const verdict = await this.#verdictOn(job, error, attempt, failures);
      if (verdict === 'stop') throw error;
      if (verdict === 'skip') return endJob(job, 'processed');
      if (verdict === 'deadLetter') {
        const isBuried = await this.#bury(job, error, attempt);
        return isBuried ? endJob(job, 'processed') : this.#drop(job);
      }
      if (this.#isOver(job)) return this.#drop(job);
      await this.#wait(job, verdict.retryAfterMs);
      if (this.#isOver(job)) return this.#drop(job);
    }
  }

  /** What the handler threw; `undefined`: it is done. */
  async #attempt(job: Job, attempt: number): Promise<{ readonly error: unknown } | undefined> {
    if (job.undecodable !== undefined) return job.undecodable;
    const signal = job.reader.hold?.signal ?? this.#source.closing;
    try {
      await this.#options.handle(job.subject, { signal, attempt, retryAfter });
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  async #verdictOn(
    { subject, undecodable }: Job,
    error: unknown,
    attempt: number,
    failures: number,
  ): Promise<Verdict> {
    const retryAfterMs = RetryAfter.msOf(error);
    if (retryAfterMs !== undefined) return { retryAfterMs };
    const { decidesOnDecodeErrors, decodeErrors } = this.#source;
    if (undecodable !== undefined && decidesOnDecodeErrors) {
      const { deadLetterTopic } = this.#options;
      const action = await decodeErrorAction({ ...decodeErrors, deadLetterTopic }, undecodable);
      return action === 'fail' ? 'stop' : action;
    }
    const isFinal = undecodable !== undefined;
    return verdictOn(this.#options, { error, subject, attempt, failures, isFinal });
  }

  #bury(job: Job, error: unknown, attempts: number): Promise<boolean> {
    const topic = asTopic(this.#options.deadLetterTopic!);
    return bury({ ...this.#source.decodeErrors, topic }, job, error, attempts);
  }

  /** Whether nobody wants a message handled any more: it comes again, here or elsewhere. */
  #isOver({ reader, epoch }: Job): boolean {
    const isGone = reader.stopped || reader.epoch !== epoch;
    return isGone || this.#source.closing.aborted || this.#failure !== undefined;
  }

  /** Until the next attempt is due, and the application may have it. */
  async #wait(job: Job, ms: number): Promise<void> {
    const { closing } = this.#source;
    const wake = (): void => this.#putOff.wake((other) => other === job);
    closing.addEventListener('abort', wake, { once: true });
    await this.#putOff.wait(job, ms);
    closing.removeEventListener('abort', wake);
    while ((!this.#reading.mayDeliver || job.reader.paused) && !this.#isOver(job)) {
      await Promise.race([this.#reading.arrival, this.#ended.promise]);
    }
  }

  #drop(job: Job): void {
    endJob(job, 'dropped');
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
    this.#collector?.putBack();
    for (const reader of new Set(this.#dropped.map((job) => job.reader))) {
      const offsets = this.#dropped.flatMap(({ reader: of, epoch, offset }) =>
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

function retryAfter(ms: number, cause?: unknown): Error {
  return new RetryAfter(ms, cause);
}

export type { Runner };
