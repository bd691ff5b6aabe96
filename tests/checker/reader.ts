import type { Consumer, ConsumerOptions, Message, RunOptions } from '../../src/index.ts';
import type { Place } from './history.ts';
import type { Random } from './random.ts';
import { codeOf } from './recorder.ts';
import type { Recorder } from './recorder.ts';
import type { Realm } from './sim-time.ts';

type Read = Message<string, Uint8Array | null, Uint8Array | null>;

/** What a reader has of a partition. */
interface Share {
  readonly epoch: number;
  readonly life: number;
  /** Processed, with everything before it; `undefined`: nothing yet. */
  last: Read | undefined;
  next: number | undefined;
  readonly processed: Map<number, Read>;
  /** Processed, and the consumer may not know it yet. */
  readonly untold: Set<number>;
}

/** What all readers of a walk have in common. */
export interface Surroundings {
  readonly recorder: Recorder;
  readonly random: Random;
  readonly realm: Realm;
  /** Nothing goes wrong any more. */
  readonly isCalm: () => boolean;
  /** An error that no reader may get. */
  readonly onUnexpected: (error: unknown) => void;
}

/** What a reader may get where members are removed. */
const EXPECTED = new Set(['FENCED', 'NOT_ASSIGNED']);

/** An application with one consumer, that reads in every way there is, one after the other. */
export class Reader {
  readonly member: string;
  readonly consumer: Consumer<RegExp>;
  /** It does not come to an end with what it gets. */
  isStuck = false;
  isClosed = false;
  readonly #with: Surroundings;
  readonly #commit: ConsumerOptions['commit'];
  readonly #shares = new Map<string, Share>();
  /** As what it got each message. */
  readonly #got = new WeakMap<Read, Share>();
  #leave = false;
  readonly #stuck: (() => void)[] = [];

  constructor(
    consumer: Consumer<RegExp>,
    commit: ConsumerOptions['commit'],
    surroundings: Surroundings,
  ) {
    this.member = consumer.memberId!;
    this.consumer = consumer;
    this.#commit = commit;
    this.#with = surroundings;
    const { recorder } = surroundings;
    const member = this.member;
    consumer.on('assigned', ({ partitions }) => {
      for (const where of partitions) {
        const { epoch, life } = recorder.mustGetHold(member, where);
        recorder.add({ kind: 'assigned', member, life, epoch, ...where });
        this.#shares.set(keyOf(where), {
          epoch,
          life,
          last: undefined,
          next: undefined,
          processed: new Map(),
          untold: new Set(),
        });
      }
    });
    consumer.on('revoked', async ({ partitions }) => {
      for (const where of partitions) {
        const share = this.#shares.get(keyOf(where))!;
        if (commit === 'manual' && share.last !== undefined) await this.#commitMessage(share.last);
        const { life, epoch } = share;
        recorder.add({ kind: 'revoked', member, life, epoch, ...where });
      }
    });
    consumer.on('lost', ({ partitions }) => {
      for (const where of partitions) {
        const { life, epoch } = this.#shares.get(keyOf(where))!;
        recorder.add({ kind: 'lost', member, life, epoch, ...where });
      }
    });
  }

  start(): void {
    const { recorder } = this.#with;
    void recorder.track('ready', this.member, this.consumer.ready);
    void recorder.track('read', this.member, this.#read());
  }

  goOn(): void {
    this.isStuck = false;
    for (const unstick of this.#stuck.splice(0)) unstick();
  }

  /** Leaves its loop at the next message, and begins another one. */
  leaveLoop(): void {
    this.#leave = true;
  }

  /** Commits what is processed, by the consumer's `commit`. */
  async commit(): Promise<void> {
    const { recorder } = this.#with;
    const commits = [...this.#shares].flatMap(([key, { last }]) => {
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
    const { recorder } = this.#with;
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

  /** What is to be committed when it has closed: all that is processed by then. */
  #promised(): readonly (Place & { readonly life: number })[] {
    if (this.#commit === 'manual') return [];
    return [...this.#shares].flatMap(([key, { last, untold, life }]) => {
      if (last === undefined || !this.#isAssigned(key)) return [];
      const { topic, partition } = last;
      const offset = Math.min(last.offset + 1, ...untold);
      return [{ topic, partition, offset, life }];
    });
  }

  #isAssigned(key: string): boolean {
    return this.consumer.assignment.some((where) => keyOf(where) === key);
  }

  async #read(): Promise<void> {
    const { random, realm } = this.#with;
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
        if (!(error instanceof Refused)) this.#failed(error);
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
    const max = this.#with.random.int(1, 10);
    const maxWaitMs = this.#with.random.pick([0, 0, 50]);
    for await (const batch of this.consumer.batches({ max, maxWaitMs })) {
      const messages = batch.messages as readonly Read[];
      for (const message of messages) this.#deliver(message);
      await this.#work();
      if (this.#leavesNow()) return;
      for (const message of messages) this.#process(message, true);
      await this.#commitSometimes(messages.at(-1)!);
      this.#tell(messages);
    }
  }

  async #run(): Promise<void> {
    const { random, isCalm } = this.#with;
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
        if (!isCalm() && (this.#leave || random.chance(0.03))) throw new Refused();
        await this.#done(read);
      },
    };
    await this.consumer.run(options);
  }

  async #runBatches(): Promise<void> {
    const { random, isCalm } = this.#with;
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
        if (!isCalm() && (this.#leave || random.chance(0.03))) throw new Refused();
        for (const message of messages) this.#process(message, true);
        await this.#commitSometimes(messages.at(-1)!);
        this.#tell(messages);
      },
    });
  }

  /** An application that commits by itself has done with what it has when it leaves. */
  #leavesNow(): boolean {
    const leaves = this.#leave && this.#commit !== 'manual';
    this.#leave = false;
    return leaves;
  }

  async #work(): Promise<void> {
    const { random, realm, recorder } = this.#with;
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
    this.#tell([message]);
  }

  #deliver(message: Read, lane?: string): void {
    const { topic, partition, offset } = message;
    const { recorder } = this.#with;
    const share = this.#shares.get(keyOf(message))!;
    const { life, epoch } = share;
    this.#got.set(message, share);
    const where = { topic, partition, offset, ...(lane === undefined ? {} : { lane }) };
    recorder.add({ kind: 'delivered', member: this.member, life, epoch, ...where });
    share.next ??= offset;
  }

  #process(message: Read, isUntold: boolean): void {
    const { topic, partition, offset } = message;
    const share = this.#got.get(message)!;
    const { life, epoch } = share;
    const where = { topic, partition, offset };
    this.#with.recorder.add({ kind: 'processed', member: this.member, life, epoch, ...where });
    share.processed.set(offset, message);
    if (isUntold) share.untold.add(offset);
    for (;;) {
      const next = share.processed.get(share.next ?? -1);
      if (next === undefined) return;
      share.processed.delete(next.offset);
      share.last = next;
      share.next = next.offset + 1;
    }
  }

  /** The consumer is about to know. */
  #tell(messages: readonly Read[]): void {
    for (const message of messages) this.#got.get(message)!.untold.delete(message.offset);
  }

  /** Only where everything before it is processed: that is what it says. */
  async #commitSometimes(message: Read): Promise<void> {
    const { random } = this.#with;
    const { last } = this.#got.get(message)!;
    if (last === undefined || last.offset < message.offset) return;
    if (!random.chance(this.#commit === 'manual' ? 0.5 : 0.1)) return;
    const committed = this.#commitMessage(message);
    if (random.chance(0.7)) await committed;
  }

  async #commitMessage(message: Read): Promise<void> {
    const { recorder } = this.#with;
    const error = await recorder.track('message.commit', this.member, message.commit());
    if (error === undefined) this.#acknowledge(message);
    else this.#failed(error);
  }

  #acknowledge({ topic, partition, offset }: Read): void {
    const { member } = this;
    const where = { topic, partition, offset: offset + 1 };
    this.#with.recorder.add({ kind: 'acknowledged', member, ...where });
  }

  #rewound(): void {
    for (const [key, { life, epoch }] of this.#shares) {
      if (!this.#isAssigned(key)) continue;
      const [topic, partition] = key.split('/') as [string, string];
      const where = { topic, partition: Number(partition) };
      this.#with.recorder.add({ kind: 'rewound', member: this.member, life, epoch, ...where });
    }
  }

  #failed(error: unknown): void {
    const code = codeOf(error);
    if (EXPECTED.has(code) || (this.isClosed && code === 'CLOSED')) return;
    this.#with.onUnexpected(error);
  }
}

/** A handler does not want a message. */
class Refused extends Error {}

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
