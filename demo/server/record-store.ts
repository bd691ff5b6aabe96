import type { ReceivedBatch } from '../../src/receiver.ts';
import { OffsetRanges } from './offset-ranges.ts';
import { TAB_HEADER } from './protocol.ts';
import type { StoredPartition } from './protocol.ts';

/**
 * A database for `receiver()`, in memory, which counts records in place of keeping them. `store` is one
 * step of the event loop, and so one transaction: records and position change together.
 */
export class RecordStore {
  readonly #partitions = new Map<string, Partition>();

  /** The position of a source, by its id. */
  position(source: string): number | undefined {
    return this.#partitions.get(source)?.position;
  }

  store(batch: ReceivedBatch): void {
    const { id, partition } = batch.source;
    // Records that retention had removed before anybody connected are not missing here.
    const first = batch.records[0]?.offset ?? batch.to;
    const stored = this.#partitions.get(id) ?? new Partition(partition, first);
    const { records, position } = batch.after(this.position(id));
    this.#partitions.set(id, stored);
    for (const { offset } of records) stored.add(offset);
    const tab = batch.request.headers.get(TAB_HEADER) ?? 'unknown';
    stored.byTab[tab] = (stored.byTab[tab] ?? 0) + records.length;
    stored.position = position;
  }

  /** The stored ranges of each topic, by the topic's id. */
  partitionsOf(topicId: string): readonly StoredPartition[] {
    return [...this.#partitions].flatMap(([source, stored]) =>
      source.split('/')[1] === topicId ? [stored] : [],
    );
  }
}

class Partition implements StoredPartition {
  readonly partition: number;
  readonly first: number;
  position: number;
  records = 0;
  doubled = 0;
  readonly byTab: Record<string, number> = {};
  /**
   * Which records are stored: the id of a record is that of its partition, and its offset. It
   * knows nothing of positions, so that it notices what a wrong position would double.
   */
  readonly #has = new OffsetRanges();

  constructor(partition: number, first: number) {
    this.partition = partition;
    this.first = first;
    this.position = first;
  }

  add(offset: number): void {
    this.records++;
    if (!this.#has.add(offset)) this.doubled++;
  }
}
