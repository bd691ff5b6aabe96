import type { Clock } from '../platform/clock.ts';
import type { PartitionName } from '../log/head.ts';
import { believedTime, trustTime } from '../log/cleaning/retention.ts';
import type { BelievedTime } from '../log/cleaning/retention.ts';
import { isInMemory } from '../protocol/topic-id.ts';
import { PRODUCERS, logRef, partitionStore } from '../store/schema.ts';
import { pacedStore } from '../store/paced-store.ts';
import type { Store } from '../store/store.ts';
import type { GroupOffsets } from './groups/group-offsets.ts';
import { PartitionCleaner } from './cleaner/partition-cleaner.ts';
import { cleanPartition } from './cleaner/clean-partition.ts';
import type { TopicCatalog } from './topics/topic-catalog.ts';
import type { TopicRow } from './rows/topic-row.ts';
import { producerRef } from './groups/transactional-ids.ts';
import type { ProducerRow } from './groups/transactional-ids.ts';

export interface LogCleanerOptions {
  readonly store: Store;
  readonly topics: TopicCatalog;
  readonly offsets: GroupOffsets;
  readonly clock: Clock;
  /** Records at the start of a partition are gone. */
  readonly onTrimmed: (partition: PartitionName) => void;
}

/** Kafka's `transactional.id.expiration.ms`. */
const TRANSACTIONAL_ID_EXPIRATION_MS = 7 * 86_400_000;

interface Tended {
  readonly row: TopicRow;
  readonly partition: number;
  readonly keeper: PartitionCleaner;
}

/**
 * Goes round the partitions on disk: retention, compaction, merging. One broker at a time does,
 * because more would only do the same; should two meet, the transactions sort it out.
 */
export class LogCleaner {
  readonly #options: LogCleanerOptions;

  constructor(options: LogCleanerOptions) {
    this.#options = options;
  }

  async goRound(signal: AbortSignal): Promise<void> {
    const { store, topics, clock } = this.#options;
    const paced = pacedStore(store, clock);
    const now = await this.#believedTime();
    const rows = (await topics.list()).filter(({ id }) => !isInMemory(id));
    const all: Tended[] = rows.flatMap((row) =>
      row.stores.map((index, partition) => ({
        row,
        partition,
        keeper: new PartitionCleaner(paced, {
          topicId: row.id,
          partition,
          store: partitionStore(index),
        }),
      })),
    );
    for (const tended of all) {
      if (signal.aborted) return;
      // One that is deleted meanwhile, or damaged, is left as it is.
      await this.#tend(tended, now).catch(() => {});
    }
    await this.#fitBudget(all);
    await this.#expireProducers(now());
  }

  #tend(tended: Tended, now: BelievedTime): Promise<void> {
    return cleanPartition(tended.keeper, tended.row.config, {
      now,
      protectedFrom: () => this.#protectedFrom(tended),
      onTrimmed: () => this.#trimmed(tended),
    });
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
      // Where it fails, nobody knows how much is gone: the next round looks.
      excess = await this.#shrink(tended, bytes, excess).catch(() => 0);
    }
  }

  /** Deletes up to `excess` bytes of a partition that has `bytes`; how many are left for others. */
  async #shrink(tended: Tended, bytes: number, excess: number): Promise<number> {
    const { keeper } = tended;
    const protectedFrom = await this.#protectedFrom(tended);
    try {
      await keeper.fit(Math.max(bytes - excess, 0), protectedFrom);
    } finally {
      this.#trimmed(tended);
    }
    const left = excess - (bytes - (await keeper.head()).bytes);
    const oldest = await keeper.oldestRow();
    // Less than a row is too much: others are not to be emptied for that.
    if (oldest === undefined || oldest.nextOffset > protectedFrom) return left;
    return left < oldest.bytes.byteLength ? 0 : left;
  }

  async #believedTime(): Promise<BelievedTime> {
    const { store, clock } = this.#options;
    const found = await store.update([logRef], ([log], write) => {
      const known = log!.time ?? { seenAt: log!.createdAt, doubtedAt: null };
      const looked = trustTime(known, clock.now());
      write.put(logRef.store, logRef.key, { ...log, time: looked.trust });
      return looked;
    });
    return believedTime(clock, found);
  }

  async #expireProducers(now: number | undefined): Promise<void> {
    if (now === undefined) return;
    const { store } = this.#options;
    const expired = (row: ProducerRow | undefined): boolean =>
      row !== undefined && now - row.usedAt >= TRANSACTIONAL_ID_EXPIRATION_MS;
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
    this.#options.onTrimmed({ topicId: row.id, partition });
  }
}
