import { checkInteger, mistake, withDefaults } from '../../base/argument.ts';
import { MAX_METADATA } from '../../protocol/wire.ts';
import type { AssignedPartitions, TopicPartition } from '../fetch/assigned-partitions.ts';

/** An offset to commit: the offset of the next record to read (Kafka's `OffsetAndMetadata`). */
export interface OffsetToCommit extends TopicPartition {
  readonly offset: number;
  /**
   * Free text stored with the offset, and returned by `admin.listGroupOffsets`, of 1 Mi characters
   * at the most (Kafka's `offset.metadata.max.bytes`, 4096 there). Default ''.
   */
  readonly metadata?: string;
}

const NO_COMMIT = {
  topic: undefined,
  partition: undefined,
  offset: undefined,
  metadata: '',
} as unknown as Required<OffsetToCommit>;

/** The offset with its metadata, both checked. The caller checks the topic and the partition. */
export function checkOffsetToCommit(call: string, given: OffsetToCommit): Required<OffsetToCommit> {
  const checked = withDefaults<Required<OffsetToCommit>>(call, given, NO_COMMIT);
  const { offset, metadata } = checked;
  checkInteger('an offset', offset, 0);
  if (typeof metadata !== 'string') throw mistake('the metadata of a commit is a string', metadata);
  if (metadata.length > MAX_METADATA) {
    const rule = `the metadata of a commit has ${MAX_METADATA} characters at the most`;
    throw mistake(rule, metadata.length, RangeError);
  }
  return checked;
}

/**
 * Commits offsets of partitions that a member has. Where one offset breaks a rule, no offset is
 * committed.
 */
export async function commitOffsets(
  readers: AssignedPartitions,
  offsets: readonly OffsetToCommit[],
): Promise<void> {
  const commits = offsets.map((each) => {
    const { offset, metadata, ...where } = checkOffsetToCommit('commit()', each);
    const progress = readers.mustGet(where).progress!;
    return () => progress.committer.commitExactly(progress, offset, metadata);
  });
  await Promise.all(commits.map((commit) => commit()));
}
