import type { Consumer, Log, MessageBatch } from '../src/index.ts';
import { CREW, CREW_TOPICS, isPassing } from './demo-log.ts';
import type { CrewTopic } from './demo-log.ts';
import type { Work } from './emptying.ts';
import { newMemberId } from './member-name.ts';
import type { Pace } from './pace.ts';
import { sleep } from './sleep.ts';

const RETRY_MS = 1000;
/** So few that the partitions of a slow tab all get their turn, and what was done is soon committed. */
const BATCH_RECORDS = 10;
/** How long a tab that stalls may keep a partition that another is to have. */
const REBALANCE_TIMEOUT_MS = 10_000;

export interface MembershipEvents {
  /** Called when the tab's partitions have changed, or are about to. */
  readonly onChange: () => void;
  /** Called when an error that does not pass by itself has ended the membership. */
  readonly onError: (error: unknown) => void;
}

/** This tab as a member of the group: it works through the records of the partitions it is given. */
export class Membership implements Work {
  readonly memberId: string;
  /** Records that this tab has worked through. */
  processed = 0;
  readonly #log: Log;
  readonly #pace: Pace;
  readonly #events: MembershipEvents;
  #isJoined = false;
  #isPaused = false;
  #leaving = new AbortController();
  #ended: Promise<void> = Promise.resolve();
  #consumer: Consumer<CrewTopic> | undefined;
  #isOut = false;

  constructor(log: Log, tab: string, pace: Pace, events: MembershipEvents) {
    this.memberId = newMemberId(tab);
    this.#log = log;
    this.#pace = pace;
    this.#events = events;
  }

  /** Whether the tab wants to be a member. */
  get isJoined(): boolean {
    return this.#isJoined;
  }

  /** How many partitions the tab reads. */
  get partitions(): number {
    return this.#consumer?.assignment.length ?? 0;
  }

  /** Whether the tab stalled for so long that others have its partitions. */
  get isOut(): boolean {
    return this.#isOut;
  }

  join(): void {
    this.#isJoined = true;
    this.#start();
  }

  leave(): void {
    this.#isJoined = false;
    this.#leaving.abort();
    this.#changed(false);
  }

  async pause(): Promise<void> {
    this.#isPaused = true;
    this.#leaving.abort();
    await this.#ended;
  }

  resume(): void {
    this.#isPaused = false;
    this.#start();
  }

  /** Starts where the tab wants to be a member, once the membership before has ended. */
  #start(): void {
    if (!this.#isJoined || this.#isPaused) return;
    const leaving = (this.#leaving = new AbortController());
    this.#ended = this.#ended.then(() => this.#run(leaving.signal));
    this.#changed(false);
  }

  /** Works until `signal` aborts. */
  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#work(signal);
      } catch (error) {
        if (!isPassing(error)) {
          this.#isJoined = false;
          this.#events.onError(error);
          break;
        }
        await sleep(RETRY_MS);
      }
    }
    this.#changed(false);
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { memberId } = this;
    const consumer = this.#log.consumer({
      group: CREW,
      memberId,
      topics: CREW_TOPICS,
      from: 'earliest',
      onDecodeError: 'skip',
      rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
      signal,
    });
    consumer.on('assigned', () => this.#changed(false));
    consumer.on('revoked', () => this.#changed(false));
    consumer.on('lost', () => this.#changed(!signal.aborted));
    this.#consumer = consumer;
    const left = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    try {
      // What a batch held is committed when the next one is asked for.
      for await (const batch of consumer.batches({ max: BATCH_RECORDS })) {
        await Promise.race([this.#workThrough(batch), left]);
        if (signal.aborted) break; // what it had in hand comes again elsewhere
      }
    } finally {
      this.#consumer = undefined;
      await consumer.close();
    }
  }

  async #workThrough({ messages, signal }: MessageBatch<CrewTopic>): Promise<void> {
    for (let left = messages.length; left > 0; left--) {
      // A tab that stalls does not look at the signal either: that is what it shows.
      await this.#pace.next();
      if (signal.aborted) return;
      this.processed++;
    }
  }

  #changed(isOut: boolean): void {
    this.#isOut = isOut;
    this.#events.onChange();
  }
}
