import type { TopicIdPartition } from '../../base/topic-id-partition.ts';
import { TOPIC_EXISTS } from '../../base/error-rules.ts';
import { mustBeInteger, mustBeName } from '../../base/argument.ts';
import { TablogError, unknownTopic } from '../../base/error.ts';
import type { SubscribedTopic } from '../../group/group-state.ts';
import type { Clock } from '../../platform/clock.ts';
import type { RandomSource } from '../../platform/random-id.ts';
import { headRef, topicGone } from '../../log/head.ts';
import { MAX_PARTITIONS } from '../../protocol/topic.ts';
import type { Request } from '../../protocol/broker.ts';
import type { TopicConfig, TopicSpec } from '../../protocol/topic.ts';
import { isInMemory, newTopicId } from '../../protocol/topic-id.ts';
import {
  OFFSETS,
  TOPICS,
  partitionStore,
  topicsVersionOf,
  topicsVersionRef,
} from '../../store/schema.ts';
import type { RowRef, Store } from '../../store/store.ts';
import { isOffset, offsetRef } from '../rows/offset-row.ts';
import type { OffsetRow } from '../rows/offset-row.ts';
import { Allocation } from './allocation.ts';
import { keptTopic } from './kept-topic.ts';
import { checkConfig, defaultsOf, withChanges } from './topic-config.ts';
import { topicDamaged, topicRows } from './topic-rows.ts';
import type { TopicRows } from './topic-rows.ts';
import { TopicChanging, despiteChanges } from './topic-changing.ts';
import { configOf, storeOf, topicOf, topicRef } from '../rows/topic-row.ts';
import type { TopicRow } from '../rows/topic-row.ts';

/** The store and the configuration of a partition, looked up once by topic id. */
export interface ResolvedPartition {
  /** The name of the partition's object store. */
  readonly store: string;
  readonly config: TopicConfig;
}

/** The topics that groups can subscribe to, and the version of the topics. */
interface Subscribable {
  readonly topics: readonly SubscribedTopic[];
  readonly version: number;
}

export interface TopicCatalogOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly crypto?: RandomSource | undefined;
  /** Called after this catalog created, changed or deleted a topic. */
  readonly onChanged: () => void;
}

/** The topics of a log: a cache of their rows, and the transactions that change them. */
export class TopicCatalog {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: RandomSource | undefined;
  readonly #onChanged: () => void;
  #rows: Promise<TopicRows> | undefined;
  #subscribable: Promise<Subscribable> | undefined;

  constructor({ store, clock, crypto, onChanged }: TopicCatalogOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#random = crypto;
    this.#onChanged = onChanged;
  }

  /** Drops the cached topics, after any broker changed a topic. */
  forget(): void {
    this.#rows = undefined;
    this.#subscribable = undefined;
  }

  async list(): Promise<readonly TopicRow[]> {
    return [...(await this.#read(true)).byName.values()];
  }

  /** The ids of all topics, from the cache unless it was dropped. */
  async ids(): Promise<ReadonlySet<string>> {
    return new Set((await this.#read(false)).byId.keys());
  }

  /**
   * The topics that groups can subscribe to, from the cache unless the cache `isStale`. A
   * transaction compares the version with the stored version to detect a stale cache.
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
    // The version is read before the topics: a topic created between the two reads raises the
    // stored version, and so the result counts as stale.
    const [row] = await this.#store.read([topicsVersionRef]);
    const rows = await this.list();
    const topics = rows.map(({ id, name, stores }) => ({ id, name, partitions: stores.length }));
    return { topics, version: topicsVersionOf(row) };
  }

  /** The topics in the order of the names, from one read. Throws `UNKNOWN_TOPIC`. */
  mustGet(names: readonly string[]): Promise<TopicRow[]> {
    return despiteChanges(async () => {
      const { byName: rows } = await this.#read(true);
      const missing = names.find((name) => !rows.has(name));
      if (missing === undefined) return names.map((name) => rows.get(name)!);
      const [found] = await this.#store.read([topicRef(missing)]); // tells a damaged row
      throw topicOf(found, missing) === undefined
        ? unknownTopic(missing)
        : new TopicChanging(missing);
    });
  }

  /**
   * The store and the configuration of a partition. Throws `UNKNOWN_TOPIC`; `LOG_CORRUPT` when a
   * damaged row may be the topic's.
   */
  async resolve({ topicId, partition }: TopicIdPartition): Promise<ResolvedPartition> {
    for (const fresh of [false, true]) {
      const { byId, damaged } = await this.#read(fresh);
      const row = byId.get(topicId);
      const store = row && storeOf(row, partition);
      if (store !== undefined) return { store, config: configOf(row!) };
      if (fresh && row === undefined && damaged > 0) {
        throw topicDamaged({ topicId, partition }, damaged);
      }
    }
    throw topicGone({ topicId, partition });
  }

  /**
   * Reserves `count` offsets of a topic in memory for this worker, and resolves with the first. No
   * later worker assigns these offsets again. Throws `UNKNOWN_TOPIC`.
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

  async create(specs: readonly TopicSpec[]): Promise<readonly TopicRow[]> {
    for (const { name, partitions = 1, version = 0 } of specs) {
      mustBeName('topic name', name); // a tab of another build may have other checks
      mustBeInteger('partitions', partitions, 1, MAX_PARTITIONS);
      mustBeInteger('version', version, 0);
    }
    return this.#grow(refsOf(specs), (rows, allocation) =>
      inTurn(specs, rows, (spec, existing) => {
        if (existing !== undefined) return keptTopic(spec, existing, allocation);
        const config = withChanges(defaultsOf(spec), spec.config ?? {});
        checkConfig(spec.name, config);
        const row: TopicRow = {
          name: spec.name,
          id: newTopicId(config.storage, this.#random),
          stores: [],
          config,
          createdAt: this.#clock.now(),
          ...(spec.version !== undefined && { version: spec.version }),
        };
        return allocation.grow(row, spec.partitions ?? 1);
      }),
    );
  }

  /**
   * Adds partitions to all of the topics in one transaction. Throws `UNKNOWN_TOPIC`, and
   * `TOPIC_EXISTS` for fewer partitions than a topic has.
   */
  createPartitions(request: Request<'createPartitions'>): Promise<readonly TopicRow[]> {
    for (const { partitions } of request) {
      mustBeInteger('partitions', partitions, 1, MAX_PARTITIONS);
    }
    return this.#grow(refsOf(request), (rows, allocation) =>
      inTurn(request, rows, ({ name, partitions }, existing) => {
        const row = mustExist(existing, name);
        const has = row.stores.length;
        if (partitions < has) {
          throw new TablogError(
            { ...TOPIC_EXISTS, next: 'Create another topic: partitions cannot be taken away.' },
            `the topic '${name}' has ${has} partitions, and cannot have fewer`,
            { details: { topic: name, partitions: has } },
          );
        }
        return allocation.grow(row, partitions - has);
      }),
    );
  }

  /** Changes all configurations in one transaction. Throws `UNKNOWN_TOPIC`, `INVALID_CONFIG`. */
  async alter(request: Request<'alterTopics'>): Promise<readonly TopicRow[]> {
    const altered = await this.#store.update(refsOf(request), (rows, write) =>
      inTurn(request, rows, ({ name, config: changes }, existing) => {
        const row = mustExist(existing, name);
        const was = configOf(row);
        const config = withChanges(was, changes);
        checkConfig(name, config, was);
        const next: TopicRow = { ...row, config };
        write.put(TOPICS, name, next);
        return next;
      }),
    );
    this.#onChanged();
    return altered;
  }

  /**
   * Deletes all of the topics and frees their stores in one transaction. Throws `UNKNOWN_TOPIC`.
   */
  async delete(names: readonly string[]): Promise<void> {
    await despiteChanges(() => this.#deleteOnce(names));
    this.#onChanged();
  }

  async #deleteOnce(names: readonly string[]): Promise<void> {
    const rows = await this.mustGet([...new Set(names)]);
    const onDisk = rows.filter(({ id }) => !isInMemory(id));
    const taken = onDisk.flatMap(({ stores }) => stores);
    const heads = taken.map((number) => headRef(partitionStore(number)));
    const topics = rows.map((row) => topicRef(row.name));
    const offsets = await this.#offsetsOf(new Set(rows.map(({ id }) => id)));
    const refs = [...topics, ...heads, ...offsets] as const;
    await this.#store.updatePartitions(refs, (found, write) => {
      rows.forEach((row, i) => {
        const now = found[i] as TopicRow | undefined;
        if (now?.id !== row.id || now.stores.length !== row.stores.length) {
          throw new TopicChanging(row.name);
        }
        write.delete(TOPICS, row.name);
      });
      write.freePartitions(taken);
      for (const { store, key } of offsets) write.delete(store, key);
      write.topicsChanged();
    });
  }

  /** Runs `change` in a transaction that can allocate partitions. */
  async #grow(
    refs: readonly RowRef<TopicRow>[],
    change: (rows: readonly (TopicRow | undefined)[], allocation: Allocation) => TopicRow[],
  ): Promise<readonly TopicRow[]> {
    const { topics, hasChanged } = await this.#store.updatePartitions(refs, (rows, write) => {
      const allocation = new Allocation(write);
      const topics = change(rows, allocation);
      return { topics, hasChanged: allocation.hasChanged };
    });
    if (hasChanged) this.#onChanged();
    return topics;
  }

  /** The addresses of all committed offsets of these topics. */
  async #offsetsOf(topicIds: ReadonlySet<string>): Promise<RowRef<OffsetRow>[]> {
    const rows = await this.#store.readAll<unknown>(OFFSETS);
    return rows
      .filter(isOffset)
      .filter(({ topicId }) => topicIds.has(topicId))
      .map((row) => offsetRef(row.groupId, row));
  }

  #read(fresh: boolean): Promise<TopicRows> {
    const known = this.#rows;
    if (!fresh && known !== undefined) return known;
    const reading = this.#store.readAll<unknown>(TOPICS).then(topicRows);
    // The cached rows stay in use until a newer read succeeds: a read can take long, or fail.
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
}

function refsOf(named: readonly { readonly name: string }[]): RowRef<TopicRow>[] {
  return named.map(({ name }) => topicRef(name));
}

/**
 * The topics that the entries of a request make of the stored rows. A request may name a topic
 * twice: the later entry builds on what the earlier one has made.
 */
function inTurn<Entry extends { readonly name: string }>(
  entries: readonly Entry[],
  rows: readonly unknown[],
  make: (entry: Entry, existing: TopicRow | undefined) => TopicRow,
): TopicRow[] {
  const made = new Map<string, TopicRow>();
  return entries.map((entry, i) => {
    const topic = make(entry, made.get(entry.name) ?? topicOf(rows[i], entry.name));
    made.set(entry.name, topic);
    return topic;
  });
}

/** Throws `UNKNOWN_TOPIC`. */
function mustExist(topic: TopicRow | undefined, name: string): TopicRow {
  if (topic === undefined) throw unknownTopic(name);
  return topic;
}
