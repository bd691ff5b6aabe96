import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { WorkItem } from './work-item.ts';

/**
 * The polled work items that are not finished, in processing shards. Only the first item of a shard
 * may be handled, so the items of a shard keep their order.
 */
export class WorkQueue {
  readonly #shards = new Map<string, WorkItem[]>();
  /** The number of items of each partition. */
  readonly #counts = new Map<PartitionReader, number>();

  get isEmpty(): boolean {
    return this.#shards.size === 0;
  }

  countOf(reader: PartitionReader): number {
    return this.#counts.get(reader) ?? 0;
  }

  /** The first item of each shard, the shard that has waited longest first. */
  *heads(): Generator<WorkItem, void, undefined> {
    for (const [head] of this.#shards.values()) yield head!;
  }

  all(): WorkItem[] {
    return [...this.#shards.values()].flat();
  }

  add(item: WorkItem): void {
    const { shardKey, reader } = item;
    const shard = this.#shards.get(shardKey);
    if (shard === undefined) this.#shards.set(shardKey, [item]);
    else shard.push(item);
    this.#counts.set(reader, this.countOf(reader) + 1);
  }

  /**
   * Removes an item. Its shard goes behind the other shards, so that a key with many messages
   * delays no other key.
   */
  remove(item: WorkItem): void {
    const { shardKey, reader } = item;
    const rest = this.#shards.get(shardKey)!.filter((other) => other !== item);
    this.#shards.delete(shardKey);
    if (rest.length > 0) this.#shards.set(shardKey, rest);
    const count = this.countOf(reader) - 1;
    if (count === 0) this.#counts.delete(reader);
    else this.#counts.set(reader, count);
  }
}
