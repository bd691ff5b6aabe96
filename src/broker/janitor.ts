import type { Clock } from '../base/clock.ts';
import { startByTime, trustTime } from '../log/retention.ts';
import { PRODUCERS, logRef, partitionStore } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { GroupOffsets } from './group-offsets.ts';
import { PartitionKeeper } from './partition-keeper.ts';
import type { TopicCatalog, TopicRow } from './topic-catalog.ts';
import { producerRef } from './transactional-producers.ts';
import type { ProducerRow } from './transactional-producers.ts';

export interface JanitorOptions {
  readonly store: Store;
  readonly topics: TopicCatalog;
  readonly offsets: GroupOffsets;
  readonly clock: Clock;
  /** Runs `work` unless another broker is at it. */
  readonly alone: (work: () => Promise<void>) => Promise<void>;
  /** Records at the start of a partition are gone. */
  readonly onTrimmed: (topicId: string, partition: number) => void;
}

/** Kafka's `log.retention.check.interval.ms`. */
const ROUND_MS = 300_000;

/** After something was appended. */
const SOON_MS = 10_000;

/** Kafka's `transactional.id.expiration.ms`. */
const TRANSACTIONAL_ID_EXPIRATION_MS = 7 * 86_400_000;

interface Tended {
  readonly row: TopicRow;
  readonly partition: number;
  readonly keeper: PartitionKeeper;
}

/**
 * Goes round the partitions in the background: retention, compaction, merging. One broker at a time
 * does, because more would only do the same; should two meet, the transactions sort it out.
 */
export class Janitor {
  readonly #options: JanitorOptions;
  #cancel: (() => void) | undefined;
  #isSoon = false;
  #isClosed = false;
  #round: Promise<void> | undefined;

  constructor(options: JanitorOptions) {
    this.#options = options;
    this.#schedule(ROUND_MS);
  }

  /** There is more to look after. */
  appended(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    if (this.#round === undefined) this.#schedule(SOON_MS);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  #schedule(ms: number): void {
    this.#cancel?.();
    if (this.#isClosed) return;
    this.#cancel = this.#options.clock.after(ms, () => {
      this.#isSoon = false;
      // What fails is tried again in the next round.
      this.#round = this.#options
        .alone(() => this.#goRound())
        .catch(() => {})
        .finally(() => {
          this.#round = undefined;
          this.#schedule(this.#isSoon ? SOON_MS : ROUND_MS);
        });
    });
  }

  async #goRound(): Promise<void> {
    const { store, topics } = this.#options;
    const isTimeTrusted = await this.#trustTime();
    const all: Tended[] = (await topics.list()).flatMap((row) =>
      row.stores.map((index, partition) => ({
        row,
        partition,
        keeper: new PartitionKeeper(store, {
          topicId: row.id,
          partition,
          store: partitionStore(index),
        }),
      })),
    );
    for (const tended of all) {
      if (this.#isClosed) return;
      // One that is deleted meanwhile, or damaged, is left as it is.
      await this.#tend(tended, isTimeTrusted).catch(() => {});
    }
    await this.#fitBudget(all);
    if (isTimeTrusted) await this.#expireProducers();
  }

  async #tend(tended: Tended, isTimeTrusted: boolean): Promise<void> {
    const { row, keeper } = tended;
    const { cleanup, retention, deleteRetentionMs } = row.config;
    const now = this.#options.clock.now();
    if (cleanup !== 'compact') {
      const protectedFrom = await this.#protectedFrom(tended);
      const head = await keeper.head();
      const expired =
        retention.ms === null || !isTimeTrusted ? 0 : startByTime(head, now - retention.ms);
      const to = Math.min(expired, protectedFrom);
      if (to > head.startOffset) {
        await keeper.moveStart(to);
        this.#trimmed(tended);
      }
      if (retention.bytes !== null && (await keeper.fit(retention.bytes, protectedFrom))) {
        this.#trimmed(tended);
      }
    }
    await keeper.sweep();
    // What others remember is not to come back when its tombstone is gone.
    const isToCompact = cleanup !== 'delete' && isTimeTrusted;
    if (isToCompact && (await keeper.compact(deleteRetentionMs, now))) this.#trimmed(tended);
    await keeper.merge();
  }

  /** What named groups have not read is kept, from this offset on. */
  async #protectedFrom({ row, partition }: Tended): Promise<number> {
    const groups = row.config.protectUncommitted;
    if (groups.length === 0) return Infinity;
    const claim = { topicId: row.id, partition };
    const offsets = await this.#options.offsets.committed(groups, claim);
    return Math.min(...offsets.map((offset) => offset ?? 0));
  }

  /** Deletes the oldest rows of the largest partitions until the log fits its budget. */
  async #fitBudget(all: readonly Tended[]): Promise<void> {
    const [log] = await this.#options.store.read([logRef]);
    const maxBytes = log?.maxBytes ?? null;
    if (maxBytes === null) return;
    const sizes = await Promise.all(
      all.map(async (tended) => {
        const { bytes } = await tended.keeper.head().catch(() => ({ bytes: 0 }));
        return { tended, bytes };
      }),
    );
    let excess = sizes.reduce((sum, { bytes }) => sum + bytes, 0) - maxBytes;
    for (const { tended, bytes } of sizes.toSorted((a, b) => b.bytes - a.bytes)) {
      if (excess <= 0) return;
      if (tended.row.config.cleanup === 'compact') continue;
      const deleted = await this.#shrink(tended, bytes, excess).catch(() => 0);
      excess -= deleted;
    }
  }

  /** Deletes up to `excess` bytes of a partition that has `bytes`; how many it deleted. */
  async #shrink(tended: Tended, bytes: number, excess: number): Promise<number> {
    const { keeper } = tended;
    const protectedFrom = await this.#protectedFrom(tended);
    if (!(await keeper.fit(Math.max(bytes - excess, 0), protectedFrom))) return 0;
    this.#trimmed(tended);
    return bytes - (await keeper.head()).bytes;
  }

  async #trustTime(): Promise<boolean> {
    const { store, clock } = this.#options;
    return store.update([logRef], ([log], write) => {
      const known = log!.time ?? { seenAt: log!.createdAt, doubtedAt: null };
      const { trust, isTrusted } = trustTime(known, clock.now());
      write.put(logRef.store, logRef.key, { ...log, time: trust });
      return isTrusted;
    });
  }

  async #expireProducers(): Promise<void> {
    const { store, clock } = this.#options;
    const expired = (row: ProducerRow | undefined): boolean =>
      row !== undefined && clock.now() - row.usedAt >= TRANSACTIONAL_ID_EXPIRATION_MS;
    const rows = (await store.readAll<ProducerRow>(PRODUCERS)).filter(expired);
    const refs = rows.map(({ transactionalId }) => producerRef(transactionalId));
    if (refs.length === 0) return;
    await store.update(refs, (found, write) => {
      found.forEach((row, i) => {
        if (expired(row)) write.delete(PRODUCERS, refs[i]!.key);
      });
    });
  }

  #trimmed({ row, partition }: Tended): void {
    this.#options.onTrimmed(row.id, partition);
  }
}
