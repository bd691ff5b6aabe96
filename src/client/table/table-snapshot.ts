/** A key of a table and its latest value. */
export interface TableEntry<K, V> {
  readonly key: K;
  readonly value: V;
  readonly partition: number;
}

/** New entries by their encoded keys; `undefined`: the key was deleted. */
export type EntryChanges<K, V> = ReadonlyMap<string, TableEntry<K, V> | undefined>;

type EntryMap<K, V> = Map<string, TableEntry<K, V>>;

/**
 * The entries of a snapshot: a map of its own, or the changes that lead back from the next newer
 * snapshot.
 */
type Entries<K, V, I> =
  | { readonly map: EntryMap<K, V> }
  | { readonly newer: TableSnapshot<K, V, I>; readonly undo: EntryChanges<K, V> };

/**
 * A table as of one moment, which never changes: a read-only map from keys to values, in no
 * particular order. Keys are equal when their encoded bytes are, so bytes and objects work as keys
 * like text.
 */
export class TableSnapshot<K, V, I = K> implements Iterable<[K, V]> {
  readonly #encode: (key: I) => string;
  /**
   * The newest snapshot has the map. An older snapshot has the changes back from the snapshot after
   * it, and applies these changes when it is read (Baker's trick for persistent arrays). So the
   * cost of a change does not depend on the size of the table.
   */
  #entries: Entries<K, V, I>;
  /**
   * The number of changes between this snapshot and the last older snapshot that has a map of its
   * own.
   */
  readonly #distance: number;

  private constructor(entries: Entries<K, V, I>, encode: (key: I) => string, distance: number) {
    this.#entries = entries;
    this.#encode = encode;
    this.#distance = distance;
  }

  /**
   * Vue makes no Proxy of an object with this mark (base/handle.ts). A snapshot needs no Proxy,
   * because it never changes.
   * @internal
   */
  get __v_skip(): true {
    return true;
  }

  get size(): number {
    return this.#map.size;
  }

  /**
   * The value of a key; `undefined` for a key without a value. Throws the errors of the topic's key
   * serde.
   */
  get(key: I): V | undefined {
    return this.#map.get(this.#encode(key))?.value;
  }

  has(key: I): boolean {
    return this.#map.has(this.#encode(key));
  }

  entries(): IterableIterator<[K, V]> {
    return this.#all.map(({ key, value }): [K, V] => [key, value]).values();
  }

  keys(): IterableIterator<K> {
    return this.#all.map(({ key }) => key).values();
  }

  values(): IterableIterator<V> {
    return this.#all.map(({ value }) => value).values();
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.entries();
  }

  /** A copy, because the map moves to the next snapshot, perhaps during an iteration. */
  get #all(): readonly TableEntry<K, V>[] {
    return [...this.#map.values()];
  }

  get #map(): EntryMap<K, V> {
    const undos: EntryChanges<K, V>[] = [];
    let entries = this.#entries;
    while (!('map' in entries)) {
      undos.push(entries.undo);
      entries = entries.newer.#entries;
    }
    if (undos.length === 0) return entries.map;
    const map = new Map(entries.map);
    for (const undo of undos.reverse()) apply(map, undo);
    this.#entries = { map };
    return map;
  }

  /** @internal */
  static empty<K, V, I>(encode: (key: I) => string): TableSnapshot<K, V, I> {
    return new TableSnapshot<K, V, I>({ map: new Map() }, encode, 0);
  }

  /**
   * The entries of the newest snapshot, by their encoded keys.
   * @internal
   */
  static entriesOf<K, V, I>(
    snapshot: TableSnapshot<K, V, I>,
  ): ReadonlyMap<string, TableEntry<K, V>> {
    return snapshot.#map;
  }

  /**
   * The snapshot after `changes` to the newest one.
   * @internal
   */
  static next<K, V, I>(
    snapshot: TableSnapshot<K, V, I>,
    changes: EntryChanges<K, V>,
  ): TableSnapshot<K, V, I> {
    const map = snapshot.#map;
    let distance = snapshot.#distance + changes.size;
    if (distance > map.size) {
      // The chain of changes is longer than the map, so the old snapshot gets a copy of the map.
      // Without the copy, an old snapshot that the application keeps would keep every later change
      // in memory.
      snapshot.#entries = { map: new Map(map) };
      distance = 0;
    }
    const newer = new TableSnapshot<K, V, I>({ map }, snapshot.#encode, distance);
    if (distance > 0) {
      const undo = new Map([...changes.keys()].map((encoded) => [encoded, map.get(encoded)]));
      snapshot.#entries = { newer, undo };
    }
    apply(map, changes);
    return newer;
  }
}

function apply<K, V>(map: EntryMap<K, V>, changes: EntryChanges<K, V>): void {
  for (const [encoded, entry] of changes) {
    if (entry === undefined) map.delete(encoded);
    else map.set(encoded, entry);
  }
}
