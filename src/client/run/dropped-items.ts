import type { PartitionReader } from '../fetch/partition-reader.ts';
import { endItem } from './work-item.ts';
import type { WorkItem } from './work-item.ts';

/**
 * Work items that were dropped while the consumer still has their partitions. Their messages are
 * delivered again when the run is over. An earlier delivery could overtake messages of the
 * partition that are still being handled.
 */
export class DroppedItems {
  readonly #items: WorkItem[] = [];

  add(item: WorkItem): void {
    endItem(item, 'dropped');
    const { reader, seekVersion } = item;
    if (reader.state.isCurrent(seekVersion)) this.#items.push(item);
  }

  /**
   * Whether an earlier item of the shard was dropped and has to be handled first. The group fenced
   * the earlier item's dead letter, and the member does not know yet that the partition is lost.
   */
  blocks({ shardKey, reader, seekVersion }: WorkItem): boolean {
    return this.#items.some(
      (earlier) =>
        earlier.shardKey === shardKey &&
        earlier.reader === reader &&
        earlier.seekVersion === seekVersion,
    );
  }

  /** Moves each reader back to the first dropped message, unless a seek has moved the reader. */
  rewind(): void {
    const first = new Map<PartitionReader, number>();
    for (const { reader, seekVersion, offset } of this.#items) {
      if (!reader.state.isCurrent(seekVersion)) continue;
      first.set(reader, Math.min(offset, first.get(reader) ?? offset));
    }
    for (const [reader, offset] of first) {
      reader.seek(offset);
    }
  }
}
