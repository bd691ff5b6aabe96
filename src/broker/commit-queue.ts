import { TablogError, toTablogError } from '../base/error.ts';
import { appendBatches } from '../log/append.ts';
import type { Segment } from '../log/append.ts';
import { headRef } from '../log/head.ts';
import type { PartitionHead } from '../log/head.ts';
import { topicGone } from '../log/segment-reader.ts';
import type { RecordBatch } from '../record/batch-reader.ts';
import { HEAD_KEY } from '../store/schema.ts';
import type { Durability, RowRef, Store, Writer } from '../store/store.ts';

/** A validated batch on its way into a partition. */
export interface PendingAppend {
  readonly topicId: string;
  readonly partition: number;
  readonly store: string;
  readonly batch: RecordBatch;
  /** Milliseconds since 1970, where the topic's records have the time of their append. */
  readonly appendTime: number | null;
}

export interface Committed {
  readonly topicId: string;
  readonly partition: number;
  readonly store: string;
  readonly segments: readonly Segment[];
}

/** Rows of other stores that are written in the same transaction. */
export interface RowWrites {
  readonly refs: readonly RowRef<unknown>[];
  /** Gets what `refs` hold. Throws where nothing at all is to be written. */
  write(rows: readonly unknown[], write: Writer): void;
}

interface Waiting extends PendingAppend {
  readonly durability: Durability;
  readonly done: (result: number | TablogError) => void;
}

/** Bounds how long one transaction, and so everybody's next one, can take. */
const MAX_COMMIT_BYTES = 8 * 1024 * 1024;

/**
 * Group commit. One write transaction at a time; what arrives meanwhile goes into the next one, for
 * every partition together. More at a time would gain nothing: browsers run one readwrite
 * transaction a database.
 */
export class CommitQueue {
  readonly #store: Store;
  readonly #onCommit: (committed: readonly Committed[]) => void;
  readonly #waiting: Waiting[] = [];
  #committing = false;

  constructor(store: Store, onCommit: (committed: readonly Committed[]) => void) {
    this.#store = store;
    this.#onCommit = onCommit;
  }

  /** Resolves with the batch's base offset, or with why it was not stored; never rejects. */
  append(append: PendingAppend, durability: Durability): Promise<number | TablogError> {
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
   * Stores all of it in a transaction of its own, or nothing; where each batch begins. Throws what
   * prevents it.
   */
  async transact(
    appends: readonly PendingAppend[],
    durability: Durability,
    writes: readonly RowWrites[],
  ): Promise<number[]> {
    const groups = groupByStore(appends);
    const heads = groups.map((group) => headRef(group[0].store));
    const placed = await this.#store.update(
      [...heads, ...writes.flatMap(({ refs }) => refs)],
      (found, write) => {
        let at = heads.length;
        for (const rows of writes) {
          rows.write(found.slice(at, at + rows.refs.length), write);
          at += rows.refs.length;
        }
        return groups.map((group, i) => {
          const result = place(group, found[i] as PartitionHead | undefined, write);
          if (result instanceof TablogError) throw result;
          return result;
        });
      },
      { durability },
    );
    this.#onCommit(placed.map(({ committed }) => committed));
    const offsets = new Map(
      groups.flatMap((group, i) =>
        group.map((append, j) => [append, placed[i]!.baseOffsets[j]!] as const),
      ),
    );
    return appends.map((append) => offsets.get(append)!);
  }

  async #commitOnce(appends: readonly Waiting[]): Promise<void> {
    const groups = groupByStore(appends);
    const heads = groups.map((group) => headRef(group[0].store));
    const durability = appends.some((a) => a.durability === 'strict') ? 'strict' : 'relaxed';
    try {
      const placed = await this.#store.update(
        heads,
        (found, write) => groups.map((group, i) => place(group, found[i], write)),
        { durability },
      );
      this.#onCommit(placed.flatMap((p) => (p instanceof TablogError ? [] : [p.committed])));
      groups.forEach((group, i) => {
        const result = placed[i]!;
        group.forEach(({ done }, j) =>
          done(result instanceof TablogError ? result : result.baseOffsets[j]!),
        );
      });
    } catch (error) {
      const failure = toTablogError(error);
      for (const append of appends) append.done(failure);
    }
  }
}

type Group<A> = [A, ...A[]];

interface Placed {
  readonly committed: Committed;
  /** Of each batch of the group. */
  readonly baseOffsets: readonly number[];
}

/** Writes a partition's batches and its head; or says why they cannot be placed, and writes nothing. */
function place(
  group: Group<PendingAppend>,
  head: PartitionHead | undefined,
  write: Writer,
): Placed | TablogError {
  const { topicId, partition, store } = group[0];
  if (head?.topicId !== topicId || head.partition !== partition) {
    return topicGone({ topicId, partition });
  }
  const appended = appendBatches(
    head,
    group.map((append) => append.batch),
  );
  for (const segment of appended.segments) write.put(store, segment.baseOffset, segment.bytes);
  write.put(store, HEAD_KEY, appended.head);
  return {
    committed: { topicId, partition, store, segments: appended.segments },
    baseOffsets: appended.baseOffsets,
  };
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
