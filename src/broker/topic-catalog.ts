import { STORAGE_UNAVAILABLE, TOPIC_EXISTS, UNKNOWN_TOPIC } from '../base/error-rules.ts';
import { checkInteger, checkName } from '../base/argument.ts';
import { TablogError } from '../base/error.ts';
import type { SubscribedTopic } from '../group/group-state.ts';
import type { PartitionName } from '../log/head.ts';
import { headRef, newHead } from '../log/head.ts';
import { topicGone } from '../log/segment-reader.ts';
import { MAX_PARTITIONS } from '../protocol/broker.ts';
import type { TopicConfig, TopicConfigChanges, TopicInfo, TopicSpec } from '../protocol/broker.ts';
import { isInMemory, newTopicId } from '../protocol/topic-id.ts';
import { HEAD_KEY, OFFSETS, TOPICS, partitionStore, poolRef } from '../store/schema.ts';
import type { PoolRow } from '../store/schema.ts';
import type { RowRef, Store } from '../store/store.ts';
import { offsetRef } from './committed-offset.ts';
import type { OffsetRow } from './committed-offset.ts';
import { checkAgrees, checkConfig, defaultsOf, withChanges } from './topic-config.ts';

/** A row of the store `topics`. */
export interface TopicRow {
  readonly name: string;
  readonly id: string;
  /** For each partition, the index of its store: in the pool, or in memory among the topic's own. */
  readonly stores: readonly number[];
  readonly config: TopicConfig;
  readonly createdAt: number;
  /** In memory: offsets before it may have been given out by a worker that is gone. Default 0. */
  readonly reservedTo?: number;
}

export interface PartitionPlace {
  readonly store: string;
  readonly config: TopicConfig;
}

function topicRef(name: string): RowRef<TopicRow> {
  return { store: TOPICS, key: name };
}

/** Topics as groups see them, at a version of the pool. */
interface Subscribable {
  readonly topics: readonly SubscribedTopic[];
  readonly version: number;
}

/** The topics of a log: a cache of their rows, and the transactions that change them. */
export class TopicCatalog {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #onChanged: () => void;
  #rows: Promise<ReadonlyMap<string, TopicRow>> | undefined;
  #subscribable: Promise<Subscribable> | undefined;

  /** `onChanged` is called when this has changed a topic. */
  constructor(store: Store, now: () => number, onChanged: () => void) {
    this.#store = store;
    this.#now = now;
    this.#onChanged = onChanged;
  }

  /** Somebody changed a topic: the next look reads the store. */
  forget(): void {
    this.#rows = undefined;
    this.#subscribable = undefined;
  }

  async list(): Promise<readonly TopicRow[]> {
    return [...(await this.#read(true)).values()];
  }

  /**
   * What groups can read, as remembered unless that `isStale`, and the version that tells in a
   * transaction whether it is.
   */
  subscribable(isStale: boolean): Promise<Subscribable> {
    if (isStale || this.#subscribable === undefined) {
      const reading = this.#readSubscribable();
      reading.catch(() => {
        if (this.#subscribable === reading) this.#subscribable = undefined;
      });
      this.#subscribable = reading;
    }
    return this.#subscribable;
  }

  async #readSubscribable(): Promise<Subscribable> {
    const [pool] = await this.#store.read([poolRef]); // first: what comes later has another version
    const rows = await this.list();
    const topics = rows.map(({ id, name, stores }) => ({ id, name, partitions: stores.length }));
    return { topics, version: pool!.version };
  }

  /** Throws `UNKNOWN_TOPIC`. */
  async mustGet(name: string): Promise<TopicRow> {
    const row = (await this.#read(true)).get(name);
    if (row === undefined) throw unknownTopic(name);
    return row;
  }

  /** Where a partition is stored, and how its topic behaves. Throws `UNKNOWN_TOPIC`. */
  async mustGetPartition({ topicId, partition }: PartitionName): Promise<PartitionPlace> {
    for (const fresh of [false, true]) {
      for (const row of (await this.#read(fresh)).values()) {
        const store = row.id === topicId ? storeOf(row, partition) : undefined;
        if (store !== undefined) return { store, config: row.config };
      }
    }
    throw topicGone({ topicId, partition });
  }

  /**
   * Sets `count` offsets of a topic in memory aside for this worker; the first of them. No worker that
   * comes later gives them out again. Throws `UNKNOWN_TOPIC`.
   */
  async reserveOffsets(topicId: string, count: number): Promise<number> {
    const known = (await this.list()).find(({ id }) => id === topicId);
    if (known === undefined) throw topicGone({ topicId, partition: 0 });
    return this.#store.update([topicRef(known.name)], ([row], write) => {
      if (row?.id !== topicId) throw topicGone({ topicId, partition: 0 });
      const { reservedTo = 0 } = row;
      write.put(TOPICS, row.name, { ...row, reservedTo: reservedTo + count });
      return reservedTo;
    });
  }

  async create(specs: readonly TopicSpec[]): Promise<TopicRow[]> {
    for (const { name, partitions = 1 } of specs) {
      checkName('topic', name); // a tab of another build may not have
      checkInteger('partitions', partitions, 1, MAX_PARTITIONS);
    }
    const refs = specs.map((spec) => topicRef(spec.name));
    return this.#withFreeStores(refs, (rows, allocate) => {
      const made = new Map<string, TopicRow>(); // a topic may be named twice
      return specs.map((spec, i) => {
        const existing = rows[i] ?? made.get(spec.name);
        if (existing !== undefined) {
          checkAgrees(spec, { config: existing.config, partitions: existing.stores.length });
          return existing;
        }
        const config = withChanges(defaultsOf(spec), spec.config ?? {});
        checkConfig(spec.name, config);
        const row: TopicRow = {
          name: spec.name,
          id: newTopicId(config.storage),
          stores: [],
          config,
          createdAt: this.#now(),
        };
        const allocated = allocate(row, spec.partitions ?? 1);
        made.set(spec.name, allocated);
        return allocated;
      });
    });
  }

  async addPartitions(name: string, partitions: number): Promise<TopicRow> {
    checkInteger('partitions', partitions, 1, MAX_PARTITIONS);
    const [row] = await this.#withFreeStores([topicRef(name)], ([existing], allocate) => {
      if (existing === undefined) throw unknownTopic(name);
      const has = existing.stores.length;
      if (partitions < has) {
        throw new TablogError(
          TOPIC_EXISTS,
          `the topic '${name}' has ${has} partitions, and cannot have fewer`,
          { details: { topic: name, partitions: has } },
        );
      }
      return [allocate(existing, partitions - has)];
    });
    return row!;
  }

  async alter(name: string, changes: TopicConfigChanges): Promise<TopicRow> {
    const altered = await this.#store.update([topicRef(name)], ([row], write) => {
      if (row === undefined) throw unknownTopic(name);
      const config = withChanges(row.config, changes);
      checkConfig(name, config, row.config);
      const next: TopicRow = { ...row, config };
      write.put(TOPICS, name, next);
      return next;
    });
    this.#onChanged();
    return altered;
  }

  /** Deletes the topics and gives their stores back, all or none. Throws `UNKNOWN_TOPIC`. */
  async delete(names: readonly string[]): Promise<void> {
    const rows = await Promise.all([...new Set(names)].map((name) => this.mustGet(name)));
    const onDisk = rows.filter(({ id }) => !isInMemory(id));
    const taken = onDisk.flatMap(({ stores }) => stores);
    const heads = taken.map((index) => headRef(partitionStore(index)));
    const topics = rows.map((row) => topicRef(row.name));
    const offsets = await this.#offsetsOf(new Set(rows.map(({ id }) => id)));
    const refs = [poolRef, ...topics, ...heads, ...offsets] as const;
    await this.#store.update(refs, (found, write) => {
      const pool = found[0]!;
      rows.forEach((row, i) => {
        const now = found[1 + i] as TopicRow | undefined;
        if (now?.id !== row.id || now.stores.length !== row.stores.length) {
          throw new TablogError(STORAGE_UNAVAILABLE, `the topic '${row.name}' is being changed`);
        }
        write.delete(TOPICS, row.name);
      });
      for (const { store } of heads) write.clear(store);
      for (const { store, key } of offsets) write.delete(store, key);
      const free = [...pool.free, ...taken];
      write.put(poolRef.store, poolRef.key, { ...pool, free, version: pool.version + 1 });
    });
    this.#onChanged();
  }

  /** What groups have committed of these topics. */
  async #offsetsOf(topicIds: ReadonlySet<string>): Promise<RowRef<OffsetRow>[]> {
    const rows = await this.#store.readAll<OffsetRow>(OFFSETS);
    return rows
      .filter(({ topicId }) => topicIds.has(topicId))
      .map((row) => offsetRef(row.groupId, row));
  }

  #read(fresh: boolean): Promise<ReadonlyMap<string, TopicRow>> {
    const known = this.#rows;
    if (!fresh && known !== undefined) return known;
    const reading = this.#store
      .readAll<TopicRow>(TOPICS)
      .then((rows) => new Map(rows.map((row) => [row.name, row])));
    // What is known serves until there is something newer: this may take long, or fail.
    if (known === undefined) this.#rows = reading;
    reading.then(
      () => {
        if (this.#rows === known) this.#rows = reading;
      },
      () => {
        if (this.#rows === reading) this.#rows = undefined;
      },
    );
    return reading;
  }

  /**
   * Runs `change` in a transaction that can take partition stores from the pool. A transaction has
   * to name its stores beforehand, so this looks which are free, and looks again when somebody else
   * was faster.
   */
  async #withFreeStores(
    refs: readonly RowRef<TopicRow>[],
    change: (
      rows: readonly (TopicRow | undefined)[],
      allocate: (row: TopicRow, partitions: number) => TopicRow,
    ) => TopicRow[],
  ): Promise<TopicRow[]> {
    let wanted = 0;
    for (;;) {
      const [pool] = await this.#store.read([poolRef]);
      if (pool!.free.length < wanted) {
        await this.#store.extendPool();
        continue;
      }
      const candidates = pool!.free.slice(0, wanted);
      const heads = candidates.map((index) => headRef(partitionStore(index)));
      const rows = await this.#store
        .update([poolRef, ...refs, ...heads] as const, (found, write) => {
          const now = found[0]!;
          const topics = found.slice(1, 1 + refs.length) as (TopicRow | undefined)[];
          const taken: number[] = [];
          let short = 0;
          let isNew = false;
          const grow = (row: TopicRow, stores: readonly number[]): TopicRow => {
            const grown: TopicRow = { ...row, stores: [...row.stores, ...stores] };
            write.put(TOPICS, row.name, grown);
            return grown;
          };
          const allocate = (row: TopicRow, partitions: number): TopicRow => {
            isNew ||= partitions > 0;
            if (isInMemory(row.id)) return grow(row, ownStores(row, partitions));
            const stores = candidates.slice(taken.length, taken.length + partitions);
            short += partitions - stores.length;
            taken.push(...stores);
            stores.forEach((index, i) => {
              const partition = row.stores.length + i;
              write.put(partitionStore(index), HEAD_KEY, newHead(row.id, partition));
            });
            return grow(row, stores);
          };
          const changed = change(topics, allocate);
          if (short > 0) throw new ShortOfStores(taken.length + short);
          if (!taken.every((index) => now.free.includes(index))) throw new ShortOfStores(wanted);
          const free = now.free.filter((index) => !taken.includes(index));
          const pool: PoolRow = { ...now, free, version: now.version + 1 };
          if (isNew) write.put(poolRef.store, poolRef.key, pool);
          return { changed, isNew };
        })
        .catch((error: unknown) => {
          if (!(error instanceof ShortOfStores)) throw error;
          wanted = error.wanted;
          return undefined;
        });
      if (rows === undefined) continue;
      if (rows.isNew) this.#onChanged();
      return rows.changed;
    }
  }
}

/** Undoes a transaction that would have needed other stores than it had named. */
class ShortOfStores extends Error {
  readonly wanted: number;

  constructor(wanted: number) {
    super(`needs ${wanted} free partition stores`);
    this.wanted = wanted;
  }
}

/** The store of a partition, if the topic has it: on disk one of the pool. */
function storeOf({ id, stores }: TopicRow, partition: number): string | undefined {
  const index = stores[partition];
  if (index === undefined) return undefined;
  return isInMemory(id) ? `${id}/${index}` : partitionStore(index);
}

/** The indices of the next partitions of a topic in memory, which need no pool. */
function ownStores({ stores }: TopicRow, partitions: number): number[] {
  return Array.from({ length: partitions }, (_, i) => stores.length + i);
}

export function topicInfo(row: TopicRow): TopicInfo {
  const { name, id, stores, config, createdAt } = row;
  return { name, id, partitions: stores.length, config, createdAt };
}

function unknownTopic(name: string): TablogError {
  return new TablogError(UNKNOWN_TOPIC, `there is no topic '${name}'`, {
    details: { topic: name },
  });
}
