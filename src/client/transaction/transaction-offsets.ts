import { checkArray } from '../../base/argument.ts';
import type { CommitRequest } from '../../protocol/group.ts';
import type { ConsumerInternals } from '../consumer/consumer-internals.ts';
import { checkOffsetToCommit } from '../consumer/offset-to-commit.ts';
import type { OffsetToCommit } from '../consumer/offset-to-commit.ts';
import type { LostPartition } from '../fetch/assigned-partitions.ts';
import type { PartitionProgress } from '../message/partition-progress.ts';
import { asTopic } from '../topics/topic.ts';

/** The offset that a transaction commits for a partition, as of the call of `commitOffsets`. */
export interface TransactionOffset {
  readonly progress: PartitionProgress;
  readonly offset: number;
  readonly metadata: string;
  /** The partition's `seekVersion` at the call. */
  readonly seekVersion: number;
  /**
   * The offsets that the application named; empty: the offset is the consumer's delivered position.
   */
  readonly named: readonly number[];
}

/** The offsets of one consumer that a transaction commits. */
export interface TransactionOffsets {
  readonly commit: CommitRequest;
  /** Called when the outcome of the transaction is known. */
  ended(isStored: boolean): void;
}

/**
 * The delivered position of each of the consumer's partitions. Throws `FENCED` where a partition
 * was taken away with messages that the call would commit. Throws a `TypeError` while the
 * application has several messages in hand, because the transaction may be about one of these
 * messages alone.
 */
export function deliveredOffsets(consumer: ConsumerInternals): TransactionOffset[] {
  checkLost(consumer, () => true);
  const all = consumer.readers.all.flatMap(({ progress }) => progress ?? []);
  if (all.reduce((sum, { inHand }) => sum + inHand, 0) > 1) {
    throw new TypeError(
      'commitOffsets() with several messages in hand: name the offsets, ' +
        'or use run() with a concurrency of 1',
    );
  }
  return all.map((progress) => offsetOf(progress, progress.delivered));
}

/**
 * The offsets that the application names, together with the offsets of earlier calls. Of several
 * offsets of a partition, the highest is committed, and each lower offset marks the message before
 * the offset as part of the transaction. Throws a `TypeError` for an offset that passes over a
 * message in hand, a `RangeError` for an offset beyond the next message, `FENCED` where the
 * partition was taken away, and `NOT_ASSIGNED`.
 */
export function namedOffsets(
  consumer: ConsumerInternals,
  given: readonly OffsetToCommit[],
  earlier: readonly TransactionOffset[] = [],
): TransactionOffset[] {
  checkArray('commitOffsets() takes an array of offsets', given);
  const checked = given.map((each) => checkOffsetToCommit('commitOffsets()', each));
  checkLost(consumer, ({ topic, progress: { partition } }) =>
    checked.some((each) => each.partition === partition && asTopic(each.topic).name === topic),
  );
  const offsets = new Map(earlier.filter(isCurrent).map((each) => [each.progress, each]));
  for (const { offset, metadata, ...where } of checked) {
    const { position, progress } = consumer.readers.mustGet(where);
    const what = `commitOffsets() of offset ${offset} of partition ${where.partition}`;
    if (offset > position) throw new RangeError(`${what}: the next message is ${position}`);
    // Messages that `run()` collects for a batch are before the position, but not delivered yet.
    const own = offsetOf(progress!, Math.min(offset, progress!.delivered), metadata);
    const before = offsets.get(progress!);
    const named = before?.named.length === 0 ? [before.offset] : (before?.named ?? []);
    const highest = before !== undefined && before.offset > own.offset ? before : own;
    offsets.set(progress!, { ...highest, named: [...named, offset] });
  }
  for (const { progress, offset, named } of offsets.values()) {
    const passed = named.length > 0 ? progress.firstPassedOver(offset, named) : undefined;
    if (passed === undefined) continue;
    throw new TypeError(
      `commitOffsets() of offset ${offset} of partition ${progress.partition} would pass over ` +
        `message ${passed}, which is still in hand. Have the transaction process it too and name ` +
        'its offset, or use eachBatch: it has one batch of a partition at a time',
    );
  }
  return [...offsets.values()];
}

/**
 * Begins the commit of the offsets in a transaction that is about to be sent; `undefined`: no
 * offset is left to commit.
 */
export function transactionOffsets(
  offsets: readonly TransactionOffset[],
): TransactionOffsets | undefined {
  // A named offset that is committed already is sent as well, because the broker then checks that
  // the member still has the partition, and fences the transaction if not.
  const current = offsets
    .filter(isCurrent)
    .filter(({ progress, offset, named }) => named.length > 0 || offset > progress.committed);
  if (current.length === 0) return undefined;
  const pending = current.map(({ progress, offset, metadata }) =>
    progress.beginTransaction(offset, metadata),
  );
  return {
    commit: {
      member: current[0]!.progress.member,
      offsets: pending.map((commit) => commit.toSend()),
    },
    ended: (isStored) => {
      for (const commit of pending) commit.end(isStored);
    },
  };
}

/**
 * False where a seek followed the call of `commitOffsets`: the seek delivers the messages again.
 */
function isCurrent({ progress, seekVersion }: TransactionOffset): boolean {
  return progress.state.seekVersion === seekVersion;
}

function offsetOf(progress: PartitionProgress, offset: number, metadata = ''): TransactionOffset {
  const { seekVersion } = progress.state;
  return { progress, offset, metadata, seekVersion, named: [] };
}

/**
 * Throws `FENCED` where a partition of `which` was taken away with messages that the call would
 * commit.
 */
function checkLost(
  { readers, commitsItself }: ConsumerInternals,
  which: (lost: LostPartition) => boolean,
): void {
  const taken = readers.lost.find(
    (lost) => which(lost) && (!lost.progress.isIdle || !commitsItself),
  );
  // A loss with messages in hand stays, because the application may try the messages again. Every
  // other loss is reported once.
  readers.forgetLost((lost) => which(lost) && lost.progress.isIdle);
  if (taken !== undefined) throw taken.progress.lostError();
}
