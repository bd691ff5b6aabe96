import type { Clock } from '../../platform/clock.ts';
import { OUT_OF_ORDER_SEQUENCE } from '../../base/error-rules.ts';
import { TablogError, toTablogError } from '../../base/error.ts';
import { appendBatches } from '../../log/append.ts';
import type { LogAppendInfo, NewBatch } from '../../log/append.ts';
import type { Segment } from '../../log/segment.ts';
import { headOf, headRef } from '../../log/head.ts';
import type { PartitionHead } from '../../log/head.ts';
import { HEAD_KEY } from '../../store/schema.ts';
import type { Durability, RowRef, Store, Writer } from '../../store/store.ts';

/** A validated batch on its way into a partition. */
export interface NewAppend extends NewBatch {
  readonly topicId: string;
  readonly partition: number;
}

/** A batch whose partition store is known. */
export interface PendingAppend extends NewAppend {
  readonly store: string;
}

/** The outcome of a batch: its place, or why it was not stored. */
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
  /** Gets what `refs` hold. Throws where nothing at all is to be written. */
  write(rows: readonly unknown[], write: Writer): void;
}

interface Waiting extends PendingAppend {
  readonly durability: Durability;
  readonly done: (outcome: AppendOutcome) => void;
}

/** Bounds how long one transaction, and so everybody's next one, can take. */
const MAX_COMMIT_BYTES = 8 * 1024 * 1024;

/**
 * Group commit. One write transaction at a time; what arrives meanwhile goes into the next one, for
 * every partition together. More at a time would gain nothing: browsers run one readwrite
 * transaction a database.
 */
export class GroupCommit {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #onCommit: (committed: readonly Committed[]) => void;
  readonly #waiting: Waiting[] = [];
  #committing = false;

  constructor(store: Store, clock: Clock, onCommit: (committed: readonly Committed[]) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#onCommit = onCommit;
  }

  /** Resolves with the batch's place, or with why it was not stored; never rejects. */
  append(append: PendingAppend, durability: Durability): Promise<AppendOutcome> {
    return new Promise((done) => {
      this.#waiting.push({ ...append, durability, done });
      if (!this.#committing) void this.#commitAll();
    });
  }

  async #commitAll(): Promise<void> {
    this.#committing = true;
    await Promise.resolve(); // for what comes in the same turn
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
   * Stores all of it in a transaction of its own, or nothing; the place of each batch. What was
   * stored before is not stored again. Throws what prevents it.
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
        // Sent once more, because its answer was lost: the offsets were stored with the batches.
        const isOld = appends.length > 0 && results.every(isKnown);
        if (isOld) return results;
        // Who has lost the transactional id is told that, not what partitions say of its batches.
        let at = heads.length;
        for (const rows of writes) {
          rows.write(found.slice(at, at + rows.refs.length), write);
          at += rows.refs.length;
        }
        for (const { outcomes } of results) outcomes.forEach(mustPlace);
        // It was stored, and a partition has forgotten that meanwhile.
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

  /** Called before the answers, in a turn of its own: an error there must not fail a stored batch. */
  #tell(placed: readonly Placed[]): void {
    const committed = placed.flatMap((one) => one.committed ?? []);
    queueMicrotask(() => this.#onCommit(committed));
  }
}

type Group<A> = [A, ...A[]];

interface Placed {
  /** `undefined`: nothing is new. */
  readonly committed: Committed | undefined;
  /** Of each batch of the group. */
  readonly outcomes: readonly AppendOutcome[];
}

/** Writes a partition's new batches, and its head where it has changed. */
function place(group: Group<PendingAppend>, row: unknown, write: Writer, now: number): Placed {
  const { topicId, partition, store } = group[0];
  let head: PartitionHead;
  try {
    head = headOf(row, group[0]);
  } catch (error) {
    const why = toTablogError(error); // of this partition, and of no other in the transaction
    return { committed: undefined, outcomes: group.map(() => why) };
  }
  const { head: next, segments, results: outcomes } = appendBatches(head, group, now);
  for (const segment of segments) write.put(store, segment.baseOffset, segment.bytes);
  // Also where nothing is stored: a batch that is refused takes its number.
  if (next.producers !== head.producers || segments.length > 0) write.put(store, HEAD_KEY, next);
  if (segments.length === 0) return { committed: undefined, outcomes };
  return { committed: { topicId, partition, store, segments, head: next }, outcomes };
}

/** Whether all of it was stored before. */
function isKnown({ committed, outcomes }: Placed): boolean {
  return committed === undefined && outcomes.every((outcome) => 'baseOffset' in outcome);
}

function mustPlace(outcome: AppendOutcome): LogAppendInfo {
  if (outcome instanceof TablogError) throw outcome;
  return outcome;
}

/** By store and topic: a store that changed hands meanwhile has two groups, and one of them fails. */
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
