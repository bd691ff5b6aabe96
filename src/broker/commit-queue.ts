import { INTERNAL } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { appendBatches } from '../log/append.ts';
import type { Segment } from '../log/append.ts';
import { headRef } from '../log/head.ts';
import { topicGone } from '../log/segment-reader.ts';
import type { RecordBatch } from '../record/batch-reader.ts';
import { HEAD_KEY } from '../store/schema.ts';
import type { Durability, Store, Writer } from '../store/store.ts';

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
      this.#onCommit(placed.flatMap((group) => (group.committed ? [group.committed] : [])));
      for (const { settle } of placed) settle();
    } catch (error) {
      const failure =
        error instanceof TablogError
          ? error
          : new TablogError(INTERNAL, String(error), { cause: error });
      for (const append of appends) append.done(failure);
    }
  }
}

type Group = [Waiting, ...Waiting[]];

/** Writes a partition's batches and its head; a group that cannot be placed leaves the others alone. */
function place(
  group: Group,
  head: Parameters<typeof appendBatches>[0] | undefined,
  write: Writer,
): { readonly committed?: Committed; readonly settle: () => void } {
  const { topicId, partition, store } = group[0];
  if (head?.topicId !== topicId || head.partition !== partition) {
    const gone = topicGone({ topicId, partition });
    return { settle: () => group.forEach((append) => append.done(gone)) };
  }
  const appended = appendBatches(
    head,
    group.map((append) => append.batch),
  );
  for (const segment of appended.segments) write.put(store, segment.baseOffset, segment.bytes);
  write.put(store, HEAD_KEY, appended.head);
  return {
    committed: { topicId, partition, store, segments: appended.segments },
    settle: () => group.forEach((append, i) => append.done(appended.baseOffsets[i]!)),
  };
}

/** By store and topic: a store that changed hands meanwhile has two groups, and one of them fails. */
function groupByStore(appends: readonly Waiting[]): Group[] {
  const groups = new Map<string, Group>();
  for (const append of appends) {
    const key = `${append.store}/${append.topicId}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [append]);
    else group.push(append);
  }
  return [...groups.values()];
}
