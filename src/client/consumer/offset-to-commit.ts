import { checkInteger, mistake, withDefaults } from '../../base/argument.ts';
import type { AssignedPartitions, TopicPartition } from '../fetch/assigned-partitions.ts';

/** An offset to commit: that of the next record to read. */
export interface OffsetToCommit extends TopicPartition {
  readonly offset: number;
  /** Free text stored with the offset, and returned by `admin.fetchOffsets`. Default ''. */
  readonly metadata?: string;
}

const NO_COMMIT = {
  topic: undefined,
  partition: undefined,
  offset: undefined,
  metadata: '',
} as unknown as Required<OffsetToCommit>;

/** Commits offsets of partitions that a member has; none, where one of them is wrong. */
export async function commitOffsets(
  readers: AssignedPartitions,
  offsets: readonly OffsetToCommit[],
): Promise<void> {
  const commits = offsets.map((each) => {
    const { offset, metadata, ...where } = withDefaults<Required<OffsetToCommit>>(
      'commit()',
      each,
      NO_COMMIT,
    );
    checkInteger('an offset', offset, 0);
    if (typeof metadata !== 'string') {
      throw mistake('the metadata of a commit is a string', metadata);
    }
    const progress = readers.mustGet(where).progress!;
    return () => progress.committer.commitExactly(progress, offset, metadata);
  });
  await Promise.all(commits.map((commit) => commit()));
}
