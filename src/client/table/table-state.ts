import type { Message } from '../message/message.ts';
import { TableSnapshot } from './table-snapshot.ts';
import type { TableEntry } from './table-snapshot.ts';

/** A key whose value has changed. */
export interface TableChange<K, V> {
  readonly key: K;
  /** The new value; `undefined`: the key was deleted. */
  readonly value: V | undefined;
  /** The value before the change; `undefined`: the key had no value. */
  readonly oldValue: V | undefined;
}

/** The entries of a table: the newest snapshot, and the entries that were read after it. */
export class TableState<K, V, I> {
  readonly #encode: (key: unknown) => string;
  #snapshot: TableSnapshot<K, V, I>;
  /** Entries that were read and are not in the snapshot yet; `undefined`: the key was deleted. */
  #pending = new Map<string, TableEntry<K, V> | undefined>();
  /**
   * Whether the topic is being read from its first record. The next `publish` then deletes the keys
   * that were not read.
   */
  #isLoading = true;

  constructor(encode: (key: unknown) => string) {
    this.#encode = encode;
    this.#snapshot = TableSnapshot.empty<K, V, I>(encode);
  }

  get snapshot(): TableSnapshot<K, V, I> {
    return this.#snapshot;
  }

  /** Takes the value of a key from a message; a message without a key changes nothing. */
  apply({ key, partition, value }: Message): void {
    if (key === null) return;
    const entry = value === null ? undefined : { key: key as K, value: value as V, partition };
    this.#pending.set(this.#encode(key), entry);
  }

  /** Deletes the entries of a partition, which is read again from its first record. */
  deletePartition(partition: number): void {
    for (const entries of [TableSnapshot.entriesOf(this.#snapshot), this.#pending]) {
      for (const [encoded, entry] of entries) {
        if (entry?.partition === partition) this.#pending.set(encoded, undefined);
      }
    }
  }

  /** Starts a reload: the whole topic is read again. The snapshot stays until `publish`. */
  reload(): void {
    this.#pending = new Map();
    this.#isLoading = true;
  }

  /** Makes the next snapshot of the entries that were read, and returns its changes. */
  publish(): readonly TableChange<K, V>[] {
    const before = TableSnapshot.entriesOf(this.#snapshot);
    const pending = this.#pending;
    if (this.#isLoading) {
      for (const encoded of before.keys()) {
        if (!pending.has(encoded)) pending.set(encoded, undefined);
      }
      this.#isLoading = false;
    }
    const changes: TableChange<K, V>[] = [];
    for (const [encoded, entry] of pending) {
      const old = before.get(encoded);
      const { key } = entry ?? old ?? {};
      if (key === undefined) pending.delete(encoded); // created and deleted since the last snapshot
      else changes.push({ key, value: entry?.value, oldValue: old?.value });
    }
    if (changes.length === 0) return changes;
    this.#pending = new Map();
    this.#snapshot = TableSnapshot.next(this.#snapshot, pending);
    return changes;
  }
}
