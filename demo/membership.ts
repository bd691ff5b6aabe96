import type { Consumer, Log, MessageBatch } from '../src/index.ts';
import { CREW, CREW_TOPICS, isPassing } from './demo-log.ts';
import type { CrewTopic } from './demo-log.ts';
import { newMemberId } from './member-name.ts';
import type { Pace } from './pace.ts';
import { sleep } from './sleep.ts';

const RETRY_MS = 1000;
/** So few that the partitions of a slow tab all get their turn, and what was done is soon committed. */
const BATCH_RECORDS = 10;
/** How long a tab that stalls may keep a partition that another is to have. */
const REBALANCE_TIMEOUT_MS = 10_000;

/** This tab as a member of the group: it works through the records of the partitions it is given. */
export class Membership {
  readonly memberId: string;
  /** Records that this tab has worked through. */
  processed = 0;
  readonly #log: Log;
  readonly #pace: Pace;
  readonly #onChange: () => void;
  #joined: AbortController | undefined;
  #consumer: Consumer<CrewTopic> | undefined;
  #isOut = false;

  /** `onChange`: it has other partitions than before, or is about to. */
  constructor(log: Log, tab: string, pace: Pace, onChange: () => void) {
    this.memberId = newMemberId(tab);
    this.#log = log;
    this.#pace = pace;
    this.#onChange = onChange;
  }

  /** Whether the tab wants to be a member. */
  get isJoined(): boolean {
    return this.#joined !== undefined;
  }

  /** How many partitions it reads. */
  get partitions(): number {
    return this.#consumer?.assignment.length ?? 0;
  }

  /** It stalled for so long that others have its partitions. */
  get isOut(): boolean {
    return this.#isOut;
  }

  /** Works until `leave` is called. Rejects with what ends it before. */
  async join(): Promise<void> {
    const joined = (this.#joined = new AbortController());
    this.#changed(false);
    try {
      while (!joined.signal.aborted) {
        try {
          await this.#work(joined.signal);
        } catch (error) {
          if (!isPassing(error)) throw error;
          await sleep(RETRY_MS);
        }
      }
    } finally {
      this.#joined = undefined;
      this.#changed(false);
    }
  }

  leave(): void {
    this.#joined?.abort();
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { memberId } = this;
    const consumer = this.#log.consumer({
      group: CREW,
      memberId,
      topics: CREW_TOPICS,
      from: 'earliest',
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
    this.#onChange();
  }
}
