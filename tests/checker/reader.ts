import type { Consumer, ConsumerOptions, Message, RunOptions } from '../../src/index.ts';
import type { Place } from './history.ts';
import type { Random } from './random.ts';
import { codeOf } from './recorder.ts';
import type { Recorder } from './recorder.ts';
import type { Realm } from './sim-time.ts';

type Read = Message<string, Uint8Array | null, Uint8Array | null>;

/** A reader's progress in one assigned partition. */
interface Progress {
  readonly epoch: number;
  readonly life: number;
  /** The last message up to which all messages are processed; `undefined` before the first. */
  last: Read | undefined;
  /** The offset after `last`; before the first message, the offset of the first delivery. */
  next: number | undefined;
  /** The processed messages behind an unprocessed message, by offset. */
  readonly processed: Map<number, Read>;
  /** The offsets of processed messages that the consumer may not count as processed yet. */
  readonly unreported: Set<number>;
}

/** The parts of a walk that all of its readers share. */
export interface ReaderContext {
  readonly recorder: Recorder;
  readonly random: Random;
  readonly realm: Realm;
  /** Whether the walk injects no more faults. */
  readonly isCalm: () => boolean;
  /** Called with an error that no reader may get. */
  readonly onUnexpected: (error: unknown) => void;
}

/** The codes of errors that a reader may get, because members are removed. */
const EXPECTED = new Set(['FENCED', 'NOT_ASSIGNED']);

/**
 * An application with one consumer, which reads by every method of the consumer in random order.
 */
export class Reader {
  readonly member: string;
  readonly consumer: Consumer<RegExp>;
  /** Whether handlers of messages never return, until `goOn()`. */
  isStuck = false;
  isClosed = false;
  readonly #context: ReaderContext;
  readonly #commit: ConsumerOptions['commit'];
  readonly #progress = new Map<string, Progress>();
  /** The progress at the delivery of each message: a later assignment has another progress. */
  readonly #progressOf = new WeakMap<Read, Progress>();
  #leave = false;
  readonly #stuck: (() => void)[] = [];

  constructor(
    consumer: Consumer<RegExp>,
    commit: ConsumerOptions['commit'],
    context: ReaderContext,
  ) {
    this.member = consumer.memberId!;
    this.consumer = consumer;
    this.#commit = commit;
    this.#context = context;
    const { recorder } = context;
    const member = this.member;
    consumer.on('assigned', ({ partitions }) => {
      for (const where of partitions) {
        const { epoch, life } = recorder.mustGetHold(member, where);
        recorder.add({ kind: 'assigned', member, life, epoch, ...where });
        this.#progress.set(keyOf(where), {
          epoch,
          life,
          last: undefined,
          next: undefined,
          processed: new Map(),
          unreported: new Set(),
        });
      }
    });
    consumer.on('revoked', async ({ partitions }) => {
      for (const where of partitions) {
        const { life, epoch, last } = this.#progress.get(keyOf(where))!;
        if (commit === 'manual' && last !== undefined) await this.#commitMessage(last);
        recorder.add({ kind: 'revoked', member, life, epoch, ...where });
      }
    });
    consumer.on('lost', ({ partitions }) => {
      for (const where of partitions) {
        const { life, epoch } = this.#progress.get(keyOf(where))!;
        recorder.add({ kind: 'lost', member, life, epoch, ...where });
      }
    });
  }

  start(): void {
    const { recorder } = this.#context;
    void recorder.track('ready', this.member, this.consumer.ready);
    void recorder.track('read', this.member, this.#read());
  }

  goOn(): void {
    this.isStuck = false;
    for (const unstick of this.#stuck.splice(0)) unstick();
  }

  /** Makes the reader leave its loop at the next message, and begin another loop. */
  leaveLoop(): void {
    this.#leave = true;
  }

  /** Commits all processed messages by `consumer.commit()`. */
  async commit(): Promise<void> {
    const { recorder } = this.#context;
    const commits = [...this.#progress].flatMap(([key, { last }]) => {
      return last !== undefined && this.#isAssigned(key) ? [last] : [];
    });
    if (commits.length === 0) return;
    const offsets = commits.map(({ topic, partition, offset }) => {
      return { topic, partition, offset: offset + 1 };
    });
    const error = await recorder.track('commit', this.member, this.consumer.commit(offsets));
    if (error === undefined) for (const message of commits) this.#acknowledge(message);
    else this.#failed(error);
  }

  async close(): Promise<void> {
    const { recorder } = this.#context;
    this.isClosed = true;
    const promised = this.#promised();
    recorder.add({ kind: 'left', member: this.member });
    const error = await recorder.track('close', this.member, this.consumer.close());
    if (error !== undefined) return this.#failed(error);
    for (const { life, ...where } of promised) {
      if (recorder.hasRemoved(this.member, life)) continue;
      recorder.add({ kind: 'acknowledged', member: this.member, ...where });
    }
  }

  /** The offsets that must be committed once the consumer has closed: all that is processed now. */
  #promised(): readonly (Place & { readonly life: number })[] {
    if (this.#commit === 'manual') return [];
    return [...this.#progress].flatMap(([key, { last, unreported, life }]) => {
      if (last === undefined || !this.#isAssigned(key)) return [];
      const { topic, partition } = last;
      const offset = Math.min(last.offset + 1, ...unreported);
      return [{ topic, partition, offset, life }];
    });
  }

  #isAssigned(key: string): boolean {
    return this.consumer.assignment.some((where) => keyOf(where) === key);
  }

  async #read(): Promise<void> {
    const { random, realm } = this.#context;
    while (!this.isClosed) {
      try {
        const way = random.pick(['each', 'batches', 'run', 'runBatches'] as const);
        if (way === 'each') await this.#each();
        else if (way === 'batches') await this.#batches();
        else if (way === 'runBatches') await this.#runBatches();
        else await this.#run();
      } catch (error) {
        if (this.isClosed) return;
        if (codeOf(error) === 'MEMBER_EXISTS') return void this.close();
        if (!(error instanceof HandlerFailed)) this.#failed(error);
      }
      this.#rewound();
      await new Promise<void>((resolve) => realm.after(1, resolve));
    }
  }

  async #each(): Promise<void> {
    for await (const message of this.consumer as AsyncIterable<Read>) {
      this.#deliver(message);
      await this.#work();
      if (this.#leavesNow()) return;
      await this.#done(message);
    }
  }

  async #batches(): Promise<void> {
    const max = this.#context.random.int(1, 10);
    const maxWaitMs = this.#context.random.pick([0, 0, 50]);
    for await (const batch of this.consumer.batches({ max, maxWaitMs })) {
      const messages = batch.messages as readonly Read[];
      for (const message of messages) this.#deliver(message);
      await this.#work();
      if (this.#leavesNow()) return;
      for (const message of messages) this.#process(message, true);
      await this.#commitSometimes(messages.at(-1)!);
      this.#report(messages);
    }
  }

  async #run(): Promise<void> {
    const { random, isCalm } = this.#context;
    const concurrency = random.pick([1, 2, 4]);
    const onError = random.pick(['retry', 'skip', 'deadLetter', 'stop'] as const);
    const options: RunOptions<RegExp> = {
      concurrency,
      backoffMs: 20,
      retries: 1,
      afterRetries: 'skip',
      deadLetterTopic: 'dead',
      onError: (_error, message, attempt) => {
        const action = this.#leave ? 'stop' : onError;
        this.#leave = false;
        const isLast = action !== 'stop' && (action !== 'retry' || attempt > 1);
        if (isLast) this.#process(message, action === 'deadLetter');
        return action;
      },
      eachMessage: async (message, { attempt }) => {
        const read = message as Read;
        if (attempt === 1) this.#deliver(read, concurrency > 1 ? laneOf(read) : undefined);
        await this.#work();
        if (!isCalm() && (this.#leave || random.chance(0.03))) throw new HandlerFailed();
        await this.#done(read);
      },
    };
    await this.consumer.run(options);
  }

  async #runBatches(): Promise<void> {
    const { random, isCalm } = this.#context;
    await this.consumer.run({
      concurrency: random.pick([1, 2, 4]),
      max: random.int(1, 10),
      maxWaitMs: random.pick([0, 0, 50]),
      backoffMs: 20,
      retries: Infinity,
      onError: () => {
        const action = this.#leave ? 'stop' : 'retry';
        this.#leave = false;
        return action;
      },
      eachBatch: async (batch, { attempt, retryAfter }) => {
        const messages = batch.messages as readonly Read[];
        if (attempt === 1) for (const message of messages) this.#deliver(message);
        await this.#work();
        if (!isCalm() && random.chance(0.05)) throw retryAfter(random.int(0, 200));
        if (!isCalm() && (this.#leave || random.chance(0.03))) throw new HandlerFailed();
        for (const message of messages) this.#process(message, true);
        await this.#commitSometimes(messages.at(-1)!);
        this.#report(messages);
      },
    });
  }

  /**
   * Whether the reader leaves its loop with the present messages unprocessed. An application with
   * manual commits processes its messages before it leaves, so it stays.
   */
  #leavesNow(): boolean {
    const leaves = this.#leave && this.#commit !== 'manual';
    this.#leave = false;
    return leaves;
  }

  async #work(): Promise<void> {
    const { random, realm, recorder } = this.#context;
    if (this.isStuck) {
      recorder.add({ kind: 'fault', what: 'stuck', member: this.member });
      await new Promise<void>((resolve) => this.#stuck.push(resolve));
    } else if (random.chance(0.2)) {
      const ms = random.int(1, 60);
      await new Promise<void>((resolve) => realm.after(ms, resolve));
    }
  }

  async #done(message: Read): Promise<void> {
    this.#process(message, true);
    await this.#commitSometimes(message);
    this.#report([message]);
  }

  #deliver(message: Read, lane?: string): void {
    const { topic, partition, offset } = message;
    const { recorder } = this.#context;
    const progress = this.#progress.get(keyOf(message))!;
    const { life, epoch } = progress;
    this.#progressOf.set(message, progress);
    const where = { topic, partition, offset, ...(lane === undefined ? {} : { lane }) };
    recorder.add({ kind: 'delivered', member: this.member, life, epoch, ...where });
    progress.next ??= offset;
  }

  #process(message: Read, isUnreported: boolean): void {
    const { topic, partition, offset } = message;
    const progress = this.#progressOf.get(message)!;
    const { life, epoch } = progress;
    const where = { topic, partition, offset };
    this.#context.recorder.add({ kind: 'processed', member: this.member, life, epoch, ...where });
    progress.processed.set(offset, message);
    if (isUnreported) progress.unreported.add(offset);
    for (;;) {
      const next = progress.processed.get(progress.next ?? -1);
      if (next === undefined) return;
      progress.processed.delete(next.offset);
      progress.last = next;
      progress.next = next.offset + 1;
    }
  }

  /** Notes that the consumer's next call reports these messages as processed. */
  #report(messages: readonly Read[]): void {
    for (const message of messages) {
      this.#progressOf.get(message)!.unreported.delete(message.offset);
    }
  }

  /** Commits a message at random, when all messages before it are processed: a commit says so. */
  async #commitSometimes(message: Read): Promise<void> {
    const { random } = this.#context;
    const { last } = this.#progressOf.get(message)!;
    if (last === undefined || last.offset < message.offset) return;
    if (!random.chance(this.#commit === 'manual' ? 0.5 : 0.1)) return;
    const committed = this.#commitMessage(message);
    if (random.chance(0.7)) await committed;
  }

  async #commitMessage(message: Read): Promise<void> {
    const { recorder } = this.#context;
    const error = await recorder.track('message.commit', this.member, message.commit());
    if (error === undefined) this.#acknowledge(message);
    else this.#failed(error);
  }

  #acknowledge({ topic, partition, offset }: Read): void {
    const { member } = this;
    const where = { topic, partition, offset: offset + 1 };
    this.#context.recorder.add({ kind: 'acknowledged', member, ...where });
  }

  #rewound(): void {
    for (const [key, { life, epoch }] of this.#progress) {
      if (!this.#isAssigned(key)) continue;
      const [topic, partition] = key.split('/') as [string, string];
      const where = { topic, partition: Number(partition) };
      this.#context.recorder.add({ kind: 'rewound', member: this.member, life, epoch, ...where });
    }
  }

  #failed(error: unknown): void {
    const code = codeOf(error);
    if (EXPECTED.has(code) || (this.isClosed && code === 'CLOSED')) return;
    this.#context.onUnexpected(error);
  }
}

/** The error of a handler that fails. */
class HandlerFailed extends Error {}

function keyOf({
  topic,
  partition,
}: {
  readonly topic: string;
  readonly partition: number;
}): string {
  return `${topic}/${partition}`;
}

function laneOf({ key }: Read): string {
  return key === null ? 'none' : new TextDecoder().decode(key);
}
