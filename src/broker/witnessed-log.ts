import { MAX_GAP_OFFSETS } from '../log/gap.ts';
import { headOf, headRef, isHead, raisedTo } from '../log/head.ts';
import type { LostRecords, OpenedLog } from '../protocol/broker.ts';
import { parseWitness } from '../protocol/log-witness.ts';
import type { LogWitness } from '../protocol/log-witness.ts';
import { HEAD_KEY, logOf, logRef, topicsVersionOf, topicsVersionRef } from '../store/schema.ts';
import { readHeads } from './read-heads.ts';
import type { FoundPartition } from './read-heads.ts';
import { topicInfo } from './rows/topic-row.ts';
import type { TopicRow } from './rows/topic-row.ts';
import type { StoreSession } from './store-session.ts';

/** The log as an opener gets it, once it is compared with the opener's witness. */
export async function openedLog(
  session: StoreSession,
  witnessText: string | null | undefined,
): Promise<OpenedLog> {
  const { store, topics } = session;
  // The version comes first: a topic that is deleted meanwhile must not look like a lost topic.
  const [log, versionRow] = await store.read([logRef, topicsVersionRef]);
  const { logId } = logOf(log);
  const topicsVersion = topicsVersionOf(versionRow);
  const rows = await topics.list();
  const found = session.takeLoss();
  const seen = parseWitness(witnessText);
  const isSame = seen?.logId === logId;
  const lost = isSame ? await restoreEnds(session, rows, seen, topicsVersion) : [];
  return {
    logId,
    topics: rows.map(topicInfo),
    topicsVersion,
    lost,
    previousLogId: isSame ? undefined : seen?.logId,
    // A tab with a witness of this log has heard of the loss, or shares the origin with one that has.
    isAfterLoss: !isSame && (found.isAfterLoss ?? false),
    setAside: isSame ? undefined : found.setAside,
  };
}

/**
 * The records that the witness has seen and the log has lost. Raises the end of their partitions to
 * the offset that was seen, so that no other record gets a lost offset: a consumer that has
 * committed one would skip that record. The raised range has no rows, so each read of it is
 * `LOG_CORRUPT`.
 */
async function restoreEnds(
  session: StoreSession,
  rows: readonly TopicRow[],
  { topics, topicsVersion }: LogWitness,
  foundVersion: number,
): Promise<LostRecords[]> {
  const seen = new Map(topics.map((topic) => [topic.id, topic]));
  const witnessed = rows.filter(({ id }) => seen.has(id));
  const found = await readHeads(session.store, witnessed);
  const behind = found.flatMap((at) => {
    const to = seen.get(at.topicId)!.ends[at.partition] ?? 0;
    const from = at.head.endOffset;
    // An end this far ahead was never an offset of the partition.
    return to > from && to - from <= MAX_GAP_OFFSETS ? [{ at, from, to }] : [];
  });
  const restored = behind.map(async ({ at, from, to }): Promise<LostRecords> => {
    const { partition, topic } = at;
    await raiseEnd(session, at, to);
    return { topic: topic.name, partition, from, to, isTopicLost: false };
  });
  const lost = await Promise.all(restored);
  // The version rises with each deletion: where it is lower than before, the missing topics were
  // not deleted.
  if (foundVersion < 0 || foundVersion >= topicsVersion) return lost;
  const ids = new Set(rows.map(({ id }) => id));
  for (const { id, name, ends } of topics) {
    if (ids.has(id)) continue;
    ends.forEach((to, partition) => {
      if (to > 0) lost.push({ topic: name, partition, from: 0, to, isTopicLost: true });
    });
  }
  return lost;
}

/**
 * Raises the partition's end. A failure, as of a full disk, does not keep the log from being opened:
 * appends would fail as well, and the next opener tries again.
 */
async function raiseEnd(session: StoreSession, at: FoundPartition, to: number): Promise<void> {
  const { store } = at;
  try {
    await session.store.update([headRef(store)], ([row], write) => {
      if (!isHead(row)) return; // deleted since
      const head = headOf(row, at);
      if (head.endOffset < to) write.put(store, HEAD_KEY, raisedTo(head, to));
    });
  } catch {
    return;
  }
  session.disk.trim(at);
}
