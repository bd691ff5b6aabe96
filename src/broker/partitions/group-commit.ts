import type { Clock } from '../../platform/clock.ts';
import { OUT_OF_ORDER_SEQUENCE } from '../../base/error-rules.ts';
import { TablogError, toTablogError } from '../../base/error.ts';
import { appendBatches } from '../../log/append.ts';
import type { LogAppendInfo, NewBatch } from '../../log/append.ts';
import type { Segment } from '../../log/segment.ts';
import { headOf, headRef } from '../../log/head.ts';
import type { PartitionHead } from '../../log/head.ts';
import { HEAD_KEY } from '../../store/schema.ts';
import type { Durability, RowRef, RowStore, Writer } from '../../store/store.ts';

/** A validated batch to be appended. */
export interface NewAppend extends NewBatch {
  readonly topicId: string;
  readonly partition: number;
}

/** A batch whose partition store is known. */
export interface PendingAppend extends NewAppend {
  readonly store: string;
}

/** The place of a batch, or the error that kept it from being stored. */
export type AppendOutcome = LogAppendInfo | TablogError;

export interface Committed {
  readonly topicId: string;
  readonly partition: number;
  readonly store: string;
  readonly segments: readonly Segment[];
  readonly head: PartitionHead;
}

/** Rows of other stores that are written in the same transaction. */
export interface RowWrites {
  readonly refs: readonly RowRef<unknown>[];
  /** Gets the rows of `refs`. Throws to abort the whole transaction. */
  write(rows: readonly unknown[], write: Writer): void;
}

interface Waiting extends PendingAppend {
  readonly durability: Durability;
  readonly done: (outcome: AppendOutcome) => void;
}

/** The bound of one transaction: the next transaction has to wait for its end. */
const MAX_COMMIT_BYTES = 8 * 1024 * 1024;

/**
 * Group commit. One write transaction runs at a time; batches that arrive meanwhile, of all
 * partitions, share the next one. Several at a time would gain nothing, because browsers run one
 * readwrite transaction of a database at a time.
 */
export class GroupCommit {
  readonly #store: RowStore;
  readonly #clock: Clock;
  readonly #onCommit: (committed: readonly Committed[]) => void;
  readonly #waiting: Waiting[] = [];
  #committing = false;

  constructor(store: RowStore, clock: Clock, onCommit: (committed: readonly Committed[]) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#onCommit = onCommit;
  }

  /** Resolves with the outcome of the batch; never rejects. */
  append(append: PendingAppend, durability: Durability): Promise<AppendOutcome> {
    return new Promise((done) => {
      this.#waiting.push({ ...append, durability, done });
      if (!this.#committing) void this.#commitAll();
    });
  }

  async #commitAll(): Promise<void> {
    this.#committing = true;
    await Promise.resolve(); // batches of the same turn share the transaction
    while (this.#waiting.length > 0) await this.#commitOnce(this.#take());
    this.#committing = false;
  }

  #take(): Waiting[] {
    let bytes = 0;
    const enough = this.#waiting.findIndex((append) => {
      bytes += append.batch.bytes.length;
      return bytes > MAX_COMMIT_BYTES;
    });
    return this.#waiting.splice(0, enough === -1 ? Infinity : Math.max(enough, 1));
  }

  /**
   * Stores all batches and rows in a transaction of their own, or none. Returns the place of each
   * batch. A retried transaction is not stored again. Throws the error that prevents the
   * transaction.
   */
  async transact(
    appends: readonly PendingAppend[],
    durability: Durability,
    writes: readonly RowWrites[],
  ): Promise<LogAppendInfo[]> {
    const groups = groupByStore(appends);
    const heads = groups.map((group) => headRef(group[0].store));
    const now = this.#clock.now();
    const placed = await this.#store.update(
      [...heads, ...writes.flatMap(({ refs }) => refs)],
      (found, write) => {
        const results = groups.map((group, i) => place(group, found[i], write, now));
        // A retry, because the answer was lost: the rows were stored with the batches.
        const isOld = appends.length > 0 && results.every(isKnown);
        if (isOld) return results;
        // The rows come first: a producer that has lost its transactional id has to get that error.
        let at = heads.length;
        for (const rows of writes) {
          rows.write(found.slice(at, at + rows.refs.length), write);
          at += rows.refs.length;
        }
        for (const { outcomes } of results) outcomes.forEach(mustPlace);
        // A retry of which a partition has forgotten its part.
        if (results.some(isKnown)) {
          const happened = 'a part of the transaction was stored before';
          throw new TablogError(OUT_OF_ORDER_SEQUENCE, happened);
        }
        return results;
      },
      { durability },
    );
    this.#tell(placed);
    const places = new Map(
      groups.flatMap((group, i) =>
        group.map((append, j) => [append, mustPlace(placed[i]!.outcomes[j]!)] as const),
      ),
    );
    return appends.map((append) => places.get(append)!);
  }

  async #commitOnce(appends: readonly Waiting[]): Promise<void> {
    const groups = groupByStore(appends);
    const heads = groups.map((group) => headRef(group[0].store));
    const durability = appends.some((a) => a.durability === 'strict') ? 'strict' : 'relaxed';
    const now = this.#clock.now();
    const placing = this.#store.update(
      heads,
      (found, write) => groups.map((group, i) => place(group, found[i], write, now)),
      { durability },
    );
    const placed = await placing.catch(toTablogError);
    if (placed instanceof TablogError) {
      for (const append of appends) append.done(placed);
      return;
    }
    this.#tell(placed);
    groups.forEach((group, i) => {
      group.forEach(({ done }, j) => done(placed[i]!.outcomes[j]!));
    });
  }

  /** Runs in a microtask of its own: an error of the listener must not fail a stored batch. */
  #tell(placed: readonly Placed[]): void {
    const committed = placed.flatMap((one) => one.committed ?? []);
    queueMicrotask(() => this.#onCommit(committed));
  }
}

type Group<A> = [A, ...A[]];

interface Placed {
  /** The new segments and the head; `undefined`: nothing was stored. */
  readonly committed: Committed | undefined;
  /** The outcome of each batch of the group. */
  readonly outcomes: readonly AppendOutcome[];
}

/** Writes a partition's new batches, and its head if the head has changed. */
function place(group: Group<PendingAppend>, row: unknown, write: Writer, now: number): Placed {
  const { topicId, partition, store } = group[0];
  let head: PartitionHead;
  try {
    head = headOf(row, group[0]);
  } catch (error) {
    const why = toTablogError(error); // the other partitions of the transaction go on
    return { committed: undefined, outcomes: group.map(() => why) };
  }
  const { head: next, segments, results: outcomes } = appendBatches(head, group, now);
  for (const segment of segments) write.put(store, segment.baseOffset, segment.bytes);
  // A refused batch stores no segment, and changes the head all the same: it uses up its sequence.
  if (next.producers !== head.producers || segments.length > 0) write.put(store, HEAD_KEY, next);
  if (segments.length === 0) return { committed: undefined, outcomes };
  return { committed: { topicId, partition, store, segments, head: next }, outcomes };
}

/** Whether all batches of the group were stored before. */
function isKnown({ committed, outcomes }: Placed): boolean {
  return committed === undefined && outcomes.every((outcome) => 'baseOffset' in outcome);
}

function mustPlace(outcome: AppendOutcome): LogAppendInfo {
  if (outcome instanceof TablogError) throw outcome;
  return outcome;
}

/**
 * Groups by store and topic. A store that a new topic has reused has two groups, of which one
 * fails.
 */
function groupByStore<A extends PendingAppend>(appends: readonly A[]): Group<A>[] {
  const groups = new Map<string, Group<A>>();
  for (const append of appends) {
    const key = `${append.store}/${append.topicId}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [append]);
    else group.push(append);
  }
  return [...groups.values()];
}
