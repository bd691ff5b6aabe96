import {
  checkBoolean,
  checkEach,
  checkInteger,
  checkMs,
  checkName,
  checkOneOf,
  checkSignal,
  mistake,
  withDefaults,
} from '../../base/argument.ts';
import type { Checks } from '../../base/argument.ts';
import { ASSIGNOR_NAMES } from '../../protocol/group.ts';
import type { AssignorName } from '../../protocol/group.ts';
import type { TopicFilter } from '../message/message.ts';
import { checkPosition } from '../fetch/position.ts';
import type { Position } from '../fetch/position.ts';
import { DECODE_ERROR_ACTIONS } from '../poll/on-decode-error.ts';
import type { OnDecodeError } from '../poll/on-decode-error.ts';
import type { CommitMode } from '../group/offset-committer.ts';
import { asTopic } from '../topics/topic.ts';
import type { TopicLike } from '../topics/topic.ts';

export interface ConsumerOptions<T extends TopicFilter = TopicLike> {
  /**
   * What to read: topics, each once, and patterns of topic names, whose messages are of bytes. A
   * topic that is made later is read from its first record.
   */
  readonly topics: readonly T[];
  /**
   * Where to begin (Kafka's `auto.offset.reset`, and more); with a group, only where the group has
   * committed nothing, or what it committed is out of range. Default 'latest': only records sent
   * after the consumer was made. Pass 'earliest' to read what is there.
   */
  readonly from?: Position;
  /**
   * Fail with `UNKNOWN_TOPIC` where a topic does not exist, instead of waiting for it. Default
   * false.
   */
  readonly mustExist?: boolean;
  /**
   * The group that shares the work: each partition is read by one of its members, and what they
   * commit is where the next one goes on. 1 to 200 of the characters A-Z a-z 0-9 . _ -. Without it,
   * the consumer reads every partition, and keeps no place.
   */
  readonly group?: string;
  /** The member's name within the group, one of a kind. Default: a random id. */
  readonly memberId?: string;
  /**
   * When messages are committed, in a group. 'processed' (default): when the next one is asked for;
   * `{ everyMs }`: the same, but that often (Kafka's `auto.commit.interval.ms`); 'manual': when
   * `commit()` is called.
   */
  readonly commit?: CommitMode;
  /**
   * How the partitions are shared out (`group.remote.assignor`): 'sticky' moves as few as it takes,
   * 'range' and 'roundRobin' are Kafka's. The same for all members. Default: the group's, or
   * 'sticky' where the group is new.
   */
  readonly assignor?: AssignorName;
  /**
   * How long a tab that does not answer, because it is suspended, keeps its partitions
   * (`session.timeout.ms`), in milliseconds. Default 10,000; at least 100. A tab that closes or
   * crashes loses them at once.
   */
  readonly sessionTimeoutMs?: number;
  /**
   * How long the consumer may take to finish what it has in hand when a partition is to move
   * (`rebalance.timeout.ms`), in milliseconds. Then it is removed from the group, and its commits
   * are `FENCED`. Default 60,000.
   */
  readonly rebalanceTimeoutMs?: number;
  /**
   * How long a member keeps its partitions after a loop of it ended with an error, by `run()` too,
   * and no other began (Kafka's `max.poll.interval.ms`), in milliseconds. Then it leaves the group,
   * so that others read on, and the next loop joins again. Default 300,000. It counts from errors
   * alone, where Kafka's counts from each poll: a loop that is left by `break`, a handler that
   * takes long, and a consumer that is not read yet keep their partitions. Shorten it where a
   * failed loop is not started again soon.
   */
  readonly maxPollIntervalMs?: number;
  /**
   * 'visible' (default): among equals, partitions go to tabs that somebody sees, and a tab that the
   * browser freezes gives its partitions up at once. 'any': tabs are all alike.
   */
  readonly placement?: 'visible' | 'any';
  /**
   * The action for a record whose key or value its serde cannot decode, or a function that returns
   * one. The function gets the error (`SERDE`) and the record with key and value as bytes, which
   * are views into the fetched batch. Default: 'fail' in loops; in `run()`, what its `onError`
   * says.
   */
  readonly onDecodeError?: OnDecodeError;
  /**
   * Where 'deadLetter' puts records, here and in `run()`: a topic that exists, and that this
   * consumer does not name in `topics`. Where the topic does not exist, `ready` rejects with
   * `UNKNOWN_TOPIC`. Default: none; 'deadLetter' needs one.
   */
  readonly deadLetterTopic?: TopicLike;
  /** Aborting it closes the consumer. */
  readonly signal?: AbortSignal;
  /** How many bytes may be fetched and not read yet, over all partitions. Default 8 MiB. */
  readonly prefetchBytes?: number;
  /**
   * How many bytes one fetch brings of one partition (`max.partition.fetch.bytes`). Default 1 MiB.
   */
  readonly maxPartitionBytes?: number;
  /**
   * How long a fetch waits for news (`fetch.max.wait.ms`), in milliseconds. Default 5000. It bounds
   * how late a record can be noticed when the message that tells of it is lost, and nothing else.
   */
  readonly maxWaitMs?: number;
}

type Optional = 'signal' | 'group' | 'memberId' | 'assignor' | 'onDecodeError' | 'deadLetterTopic';

export type CheckedConsumerOptions = Required<Omit<ConsumerOptions<TopicFilter>, Optional>> & {
  readonly [K in Optional]: ConsumerOptions[K] | undefined;
};

/** Options that say nothing without a group. */
const GROUP_CHECKS: Checks<Pick<ConsumerOptions, GroupOption>> = {
  memberId: (_, value) => checkName('member name', value),
  commit: (name, value) => {
    if (typeof value !== 'object') checkOneOf(name, value, ['processed', 'manual'], '{ everyMs }');
    else {
      const { everyMs } = withDefaults<{ everyMs?: number | undefined }>(name, value as object, {
        everyMs: undefined,
      });
      checkMs('commit.everyMs', everyMs);
    }
  },
  assignor: (name, value) => checkOneOf(name, value, ASSIGNOR_NAMES),
  sessionTimeoutMs: (name, value) => checkMs(name, value, 100),
  rebalanceTimeoutMs: checkMs,
  maxPollIntervalMs: checkMs,
  placement: (name, value) => checkOneOf(name, value, ['visible', 'any']),
};

type GroupOption =
  | 'memberId'
  | 'commit'
  | 'assignor'
  | 'sessionTimeoutMs'
  | 'rebalanceTimeoutMs'
  | 'maxPollIntervalMs'
  | 'placement';

const CHECKS: Checks<ConsumerOptions<TopicFilter>> = {
  topics: () => {}, // they have to be there, too
  from: (_, value) => void checkPosition(value as Position),
  mustExist: checkBoolean,
  group: (_, value) => checkName('group name', value),
  onDecodeError: (name, value) => {
    if (typeof value !== 'function') checkOneOf(name, value, DECODE_ERROR_ACTIONS, 'a function');
  },
  deadLetterTopic: (_, value) => void asTopic(value as TopicLike),
  signal: checkSignal,
  prefetchBytes: (name, value) => checkInteger(name, value, 1),
  maxPartitionBytes: (name, value) => checkInteger(name, value, 1),
  maxWaitMs: checkMs,
  ...GROUP_CHECKS,
};

/** `options` with the defaults. Throws a `TypeError` or a `RangeError` for what breaks a rule. */
export function checkConsumerOptions(
  options: ConsumerOptions<TopicFilter>,
): CheckedConsumerOptions {
  const given = checkEach('consumer()', options, CHECKS);
  const checked = {
    from: 'latest',
    mustExist: false,
    commit: 'processed',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 60_000,
    maxPollIntervalMs: 300_000,
    placement: 'visible',
    prefetchBytes: 8 * 1024 * 1024,
    maxPartitionBytes: 1024 * 1024,
    maxWaitMs: 5000,
    ...given,
  };
  const { topics, group } = checked;
  if (!Array.isArray(topics) || topics.length === 0) {
    throw mistake('consumer() takes an array of at least one topic', topics);
  }
  if (checked.onDecodeError === 'deadLetter' && checked.deadLetterTopic === undefined) {
    throw new TypeError("'deadLetter' needs a deadLetterTopic");
  }
  const needless = Object.keys(given).find((name) => Object.hasOwn(GROUP_CHECKS, name));
  if (group === undefined && needless !== undefined) {
    throw new TypeError(`${needless} needs a group: a consumer without one keeps no place`);
  }
  return checked as CheckedConsumerOptions;
}
