import { newHead } from '../../log/head.ts';
import { isInMemory } from '../../protocol/topic-id.ts';
import { HEAD_KEY, TOPICS, partitionStore } from '../../store/schema.ts';
import type { PartitionWriter } from '../../store/store.ts';
import type { TopicRow } from '../rows/topic-row.ts';

/** Allocates partitions to topics within one transaction. */
export class Allocation {
  readonly #write: PartitionWriter;
  #hasChanged = false;

  constructor(write: PartitionWriter) {
    this.#write = write;
  }

  /** Whether any topic got new partitions or another configuration. */
  get hasChanged(): boolean {
    return this.#hasChanged;
  }

  /** Writes a topic's new configuration, and allocates partitions up to the given number. */
  change(row: TopicRow, partitions: number): TopicRow {
    this.#hasChanged = true;
    return this.grow(row, partitions - row.stores.length);
  }

  /** Writes the topic's row, with `partitions` further partitions. */
  grow(row: TopicRow, partitions: number): TopicRow {
    let grown = row;
    if (partitions > 0) {
      const taken = isInMemory(row.id) ? ownStores(row, partitions) : this.#take(row, partitions);
      grown = { ...row, stores: [...row.stores, ...taken] };
      this.#hasChanged = true;
      this.#write.topicsChanged();
    }
    this.#write.put(TOPICS, row.name, grown);
    return grown;
  }

  #take(row: TopicRow, partitions: number): readonly number[] {
    const taken = this.#write.takePartitions(partitions);
    taken.forEach((number, i) => {
      const head = newHead(row.id, row.stores.length + i);
      this.#write.put(partitionStore(number), HEAD_KEY, head);
    });
    return taken;
  }
}

/**
 * Store numbers for new partitions of a topic in memory: their own numbers, as disk has no store.
 */
function ownStores({ stores }: TopicRow, partitions: number): number[] {
  return Array.from({ length: partitions }, (_, i) => stores.length + i);
}
