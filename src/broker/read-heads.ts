import { headRef, isHead } from '../log/head.ts';
import type { LocatedPartition, PartitionHead } from '../log/head.ts';
import { isInMemory } from '../protocol/topic-id.ts';
import type { StoredLog } from '../protocol/broker.ts';
import { logOf, logRef } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { storeOf } from './rows/topic-row.ts';
import type { TopicRow } from './rows/topic-row.ts';
import type { TopicCatalog } from './topics/topic-catalog.ts';

/** A partition on disk and its head as of one read. */
export interface FoundPartition extends LocatedPartition {
  readonly topic: TopicRow;
  readonly head: PartitionHead;
}

/**
 * The most heads that one transaction reads: an append to any of these partitions waits for the
 * transaction's end.
 */
const HEADS_A_READ = 512;

/**
 * The partitions of these topics on disk, with their heads. Left out are partitions with a damaged
 * head, and partitions whose topic was deleted since `topics` was read: their stores have no head,
 * or the head of another topic.
 */
export async function readHeads(
  store: Pick<Store, 'read'>,
  topics: readonly TopicRow[],
): Promise<FoundPartition[]> {
  const all = topics
    .filter(({ id }) => !isInMemory(id))
    .flatMap((topic) =>
      topic.stores.map((_, partition) => {
        const name = { topicId: topic.id, partition };
        return { ...name, topic, store: storeOf(topic, partition)! };
      }),
    );
  const found: FoundPartition[] = [];
  for (let from = 0; from < all.length; from += HEADS_A_READ) {
    const some = all.slice(from, from + HEADS_A_READ);
    const heads = await store.read(some.map((partition) => headRef(partition.store)));
    some.forEach((partition, i) => {
      const head: unknown = heads[i];
      const { topicId, partition: number } = partition;
      if (!isHead(head) || head.topicId !== topicId || head.partition !== number) return;
      found.push({ ...partition, head });
    });
  }
  return found;
}

/** The log's row, and the bytes of all partitions on disk. */
export async function readStoredLog(
  store: Pick<Store, 'read'>,
  topics: Pick<TopicCatalog, 'list'>,
): Promise<StoredLog> {
  const [log] = await store.read([logRef]);
  const partitions = await readHeads(store, await topics.list());
  const bytes = partitions.reduce((sum, { head }) => sum + head.bytes, 0);
  const { logId, createdAt, maxBytes } = logOf(log);
  return { logId, createdAt, bytes, maxBytes };
}
