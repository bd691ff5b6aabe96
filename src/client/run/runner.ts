import { deferred } from '../../base/deferred.ts';
import { BatchCollector } from './batch-collector.ts';
import { isDeadLetter } from '../poll/dead-letter-headers.ts';
import type { DecodeErrorPolicy } from '../poll/decode-errors.ts';
import { Undecodable } from '../message/decode-record.ts';
import { endJob, shardOf } from './job.ts';
import type { Job } from './job.ts';
import { JobQueue } from './job-queue.ts';
import { JobHandler } from './job-handler.ts';
import type { Message, TopicFilter } from '../message/message.ts';
import { batchOf } from '../poll/message-batch.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';
import { RawRecord } from '../message/raw-record.ts';
import { MAX_POLL_RECORDS, throwIfDeleted } from '../poll/message-loop.ts';
import type { MessageLoop } from '../poll/message-loop.ts';
import { checkRunOptions } from './run-options.ts';
import type { BatchRunOptions, CheckedRunOptions, RunOptions } from './run-options.ts';
import { asTopic } from '../topics/topic.ts';
import type { TopicSubscription } from '../fetch/topic-subscription.ts';
import { RoundRobin } from '../poll/round-robin.ts';
import type { PolledRecord } from '../poll/round-robin.ts';

/** What a runner needs of its consumer. */
export interface RunnerSource {
  readonly selection: TopicSubscription;
  /** Aborts when the consumer closes. */
  readonly closing: AbortSignal;
  readonly readers: readonly PartitionReader[];
  readonly reading: MessageLoop;
  readonly decodeErrors: DecodeErrorPolicy;
  /**
   * Whether the consumer was given an `onDecodeError`, which takes precedence over the run's
   * `onError`.
   */
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
    await decodeErrors.topicMetadata.load(asTopic(deadLetterTopic).name);
  }
  return new Runner(source, checked);
}

/**
 * Runs handlers side by side. Messages of one key in one partition come one after the other, and so
 * do all messages without a key. With `eachBatch`, so do all batches of a partition.
 */
class Runner {
  readonly #source: RunnerSource;
  readonly #reading: MessageLoop;
  readonly #options: CheckedRunOptions;
  readonly #turns: RoundRobin;
  readonly #jobs = new JobQueue();
  readonly #running = new Set<Job>();
  readonly #handler: JobHandler;
  readonly #collector: BatchCollector | undefined;
  /** Dropped jobs are read again when the run is over: until then jobs before them may still run. */
  readonly #dropped: Job[] = [];
  #failure: { readonly error: unknown } | undefined;
  #ended = deferred();

  constructor(source: RunnerSource, options: CheckedRunOptions) {
    this.#source = source;
    this.#reading = source.reading;
    this.#options = options;
    const { batches, concurrency } = options;
    const isInOrder = concurrency === 1 && batches === undefined;
    this.#turns = new RoundRobin(source.readers, isInOrder ? MAX_POLL_RECORDS : 1);
    const { clock } = source.decodeErrors.connection;
    this.#handler = new JobHandler({
      ...source,
      run: options,
      isOver: (job) => this.#isOver(job),
      mayDeliver: () => this.#reading.mayDeliver,
      hasRoom: () => this.#active < options.concurrency,
      change: () => Promise.race([this.#reading.arrival, this.#ended.promise]),
      onWait: () => {
        this.#startAll();
        this.#wake();
      },
    });
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
    const wakeAll = (): void => this.#handler.wake(() => true);
    closing.addEventListener('abort', wakeAll, { once: true }); // one for all jobs that wait
    try {
      while (!closing.aborted && this.#failure === undefined) {
        const { arrival } = this.#reading;
        const ended = this.#ended.promise;
        this.#handler.wake((job) => this.#isOver(job)); // a seek may have ended them
        const isTaken = !this.#isFull && this.#take();
        this.#startAll(); // also those of partitions that were paused
        if (this.#isFull) await Promise.race([arrival, ended]);
        else if (!isTaken) await Promise.race([this.#reading.more(arrival), ended]);
      }
    } catch (error) {
      this.#failure ??= { error };
    }
    wakeAll();
    this.#dropWaiting(() => true);
    while (this.#running.size > 0 && !closing.aborted) await this.#ended.promise;
    closing.removeEventListener('abort', wakeAll);
    if (!closing.aborted) this.#rewind();
    this.#collector?.close();
    if (this.#failure !== undefined) throw this.#failure.error;
    throwIfDeleted(closing);
  }

  /** Begins nothing more of a partition. */
  giveUp(reader: PartitionReader): void {
    this.#collector?.giveUp(reader);
    this.#dropWaiting((job) => job.reader === reader);
    this.#handler.wake((job) => job.reader === reader);
  }

  /** One after the other: then nothing is taken before its time. */
  get #isFull(): boolean {
    const { batches, concurrency } = this.#options;
    if (batches !== undefined) return this.#jobs.shards - this.#handler.waiting >= concurrency;
    return concurrency === 1 && this.#jobs.shards > 0;
  }

  /** The number of handlers that run; a job that is put off or being buried has none. */
  get #active(): number {
    return this.#running.size - this.#handler.waiting;
  }

  #hasRoom(reader: PartitionReader): boolean {
    const taken = this.#jobs.count(reader);
    if (this.#collector === undefined) return taken < this.#options.concurrency * TAKEN_A_HANDLER;
    return taken === 0 && !this.#collector.has(reader);
  }

  /** Takes one message at hand into a job or batch; false where nothing is at hand. */
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
    this.#jobs.add({
      reader,
      records,
      handed: reader.progress?.begin(offset, next),
      subject: batchOf(reader, messages, this.#source.closing),
      undecodable: undefined,
      isPassedOver: false,
      offset,
      epoch,
      shard: reader.source.idPrefix,
    });
    this.#reading.pump();
    return true;
  }

  #enqueue({ message: found, reader }: PolledRecord): void {
    const undecodable = found instanceof Undecodable ? found : undefined;
    const message: Message = found instanceof Undecodable ? found.message : found;
    const { concurrency, batches } = this.#options;
    const { cursor, epoch, source } = reader;
    const record = new RawRecord(cursor!);
    const { offset } = message;
    const isAlone = batches === undefined;
    const ownShard = concurrency === 1 ? '' : shardOf(reader, record);
    this.#jobs.add({
      reader,
      records: [record],
      handed: reader.progress?.begin(offset, offset + 1),
      subject: isAlone ? message : batchOf(reader, [message], this.#source.closing),
      undecodable,
      isPassedOver: undecodable === undefined && this.#passesOver(reader, message),
      offset,
      epoch,
      shard: isAlone ? ownShard : source.idPrefix,
    });
  }

  /**
   * Whether a message is a dead letter in a topic that the consumer reads by a pattern: never
   * buried again.
   */
  #passesOver({ topic: { name } }: PartitionReader, { headers }: Message): boolean {
    if (headers.length === 0 || this.#options.deadLetterTopic === undefined) return false;
    return isDeadLetter(name, headers) && !this.#source.selection.isNamed(name);
  }

  /**
   * Starts the first job of each shard while there is room. Every job gets its turn, in particular
   * the oldest of a partition, for which dead letters may wait: a job that waits takes no room, and
   * a shard whose job has ended goes behind the others.
   */
  #startAll(): void {
    if (this.#source.closing.aborted || this.#failure !== undefined) return;
    for (const job of this.#jobs.firsts()) {
      const isFull = this.#active + this.#handler.due >= this.#options.concurrency;
      if (isFull || !this.#reading.mayDeliver) return;
      if (this.#running.has(job) || job.reader.paused || this.#isBehindDropped(job)) continue;
      void this.#start(job);
    }
  }

  async #start(job: Job): Promise<void> {
    this.#running.add(job);
    try {
      const end = this.#isOver(job) ? 'dropped' : await this.#handler.handle(job);
      if (end === 'processed') endJob(job, end);
      else this.#drop(job);
    } catch (error) {
      this.#failure ??= { error };
      this.#drop(job);
      this.#handler.wake(() => true);
    }
    this.#running.delete(job);
    this.#jobs.remove(job);
    this.#startAll();
    this.#wake();
  }

  #wake(): void {
    this.#ended.resolve();
    this.#ended = deferred();
  }

  /** Whether nobody wants a message handled any more: it comes again, here or elsewhere. */
  #isOver({ reader, epoch }: Job): boolean {
    const isGone = reader.stopped || reader.epoch !== epoch;
    return isGone || this.#source.closing.aborted || this.#failure !== undefined;
  }

  /**
   * Whether an earlier message of the shard was dropped and has to come again first: the group has
   * fenced its dead letter, and the member is about to hear that the partition is lost.
   */
  #isBehindDropped({ shard, reader, epoch }: Job): boolean {
    return this.#dropped.some(
      (earlier) => earlier.shard === shard && earlier.reader === reader && earlier.epoch === epoch,
    );
  }

  #drop(job: Job): void {
    endJob(job, 'dropped');
    const { reader, epoch } = job;
    if (!reader.stopped && reader.epoch === epoch) this.#dropped.push(job);
  }

  #dropWaiting(which: (job: Job) => boolean): void {
    for (const job of this.#jobs.all()) {
      if (this.#running.has(job) || !which(job)) continue;
      this.#drop(job);
      this.#jobs.remove(job);
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
}

export type { Runner };
