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
import { DECODE_ERROR_ACTIONS, checkDeadLetter } from '../poll/on-decode-error.ts';
import type { OnDecodeError } from '../poll/on-decode-error.ts';
import type { CommitMode } from '../group/offset-committer.ts';
import { asTopic } from '../topics/topic.ts';
import type { TopicLike } from '../topics/topic.ts';

export interface ConsumerOptions<T extends TopicFilter = TopicLike> {
  /**
   * The topics to read, each once, and patterns of topic names. Topics that match a pattern alone
   * deliver bytes. A topic that is created later is read from its first record.
   */
  readonly topics: readonly T[];
  /**
   * The position where reading begins (Kafka's `auto.offset.reset`, which takes no offset and no
   * time). With a group, the position applies only where the group has no committed offset, or the
   * committed offset is out of range. Default 'latest': only records that are sent after the
   * consumer was made. Pass 'earliest' to read the records that are stored already.
   */
  readonly from?: Position;
  /**
   * true: the consumer fails with `UNKNOWN_TOPIC` where a topic does not exist. Default false: the
   * consumer waits until the topic is created.
   */
  readonly mustExist?: boolean;
  /**
   * The name of the consumer group (Kafka's `group.id`), which matches `[A-Za-z0-9._-]{1,200}`.
   * Each partition is read by one member of the group, and the next owner of a partition begins at
   * the group's committed offset. Default: no group. The consumer then reads every partition, and
   * commits no offsets.
   */
  readonly group?: string;
  /** The member's name, unique within the group. Default: a random id. */
  readonly memberId?: string;
  /**
   * When messages are committed, in a group. 'processed' (default): a message is committed when the
   * application asks for the next message. `{ everyMs }`: processed messages are committed at that
   * interval, in milliseconds (Kafka's `auto.commit.interval.ms`). 'manual': messages are committed
   * by `commit()` and by transactions alone, and a further loop goes on behind the message in hand
   * when the last one was left: to have that message again after an error, make another consumer.
   */
  readonly commit?: CommitMode;
  /**
   * The assignor of the group's partitions (Kafka's `group.remote.assignor`), the same for all
   * members. 'sticky' moves as few partitions as the balance needs; 'range' and 'roundRobin' are
   * Kafka's. Default: the assignor that the group has; 'sticky' for a new group.
   */
  readonly assignor?: AssignorName;
  /**
   * How long a suspended tab, which does not answer, keeps its partitions (Kafka's
   * `session.timeout.ms`), in milliseconds. Default 10,000; at least 100. A tab that closes or
   * crashes loses its partitions at once.
   */
  readonly sessionTimeoutMs?: number;
  /**
   * How long the application may take to finish the messages in hand of a partition that is to move
   * to another member (Kafka's `rebalance.timeout.ms`), in milliseconds. After that time the group
   * removes the consumer, and the consumer's commits are `FENCED`. Default 60,000.
   */
  readonly rebalanceTimeoutMs?: number;
  /**
   * How long the consumer keeps its partitions after a loop or `run()` ended with an error and no
   * other loop began (Kafka's `max.poll.interval.ms`), in milliseconds. After that time the
   * consumer leaves the group, so that other members read the partitions; the next loop joins the
   * group again. Default 300,000. The time counts from errors alone, whereas Kafka's counts from
   * each poll: partitions stay with a consumer whose loop was left by `break`, whose handler takes
   * long, or which no loop reads yet. Shorten the time where a failed loop is not started again
   * soon.
   */
  readonly maxPollIntervalMs?: number;
  /**
   * 'visible' (default): among equally loaded members the assignor prefers visible tabs, and a tab
   * that the browser freezes gives up its partitions at once. 'any': the visibility of tabs does
   * not matter.
   */
  readonly placement?: 'visible' | 'any';
  /**
   * The action for a record whose key or value its serde cannot decode, or a function that returns
   * one. The function gets the error (`SERDE`) and the record with key and value as bytes, which
   * are views into the fetched batch. Default: 'fail' in loops; in `run()`, the action of its
   * `onError`.
   */
  readonly onDecodeError?: OnDecodeError;
  /**
   * The topic in which the action 'deadLetter' stores records, for `onDecodeError` and in `run()`.
   * The topic must exist, else `ready` rejects with `UNKNOWN_TOPIC`, and must not be named in
   * `topics`. Default: none. The action 'deadLetter' needs this option.
   */
  readonly deadLetterTopic?: TopicLike;
  /** Closes the consumer when the signal aborts. Default: none. */
  readonly signal?: AbortSignal;
  /** The most bytes of fetched records that wait to be read, over all partitions. Default 8 MiB. */
  readonly prefetchBytes?: number;
  /**
   * The most bytes that one fetch returns of one partition (Kafka's `max.partition.fetch.bytes`).
   * Default 1 MiB.
   */
  readonly maxPartitionBytes?: number;
  /**
   * How long a fetch waits for new records (Kafka's `fetch.max.wait.ms`), in milliseconds. Default
   * 5000. A new record normally ends the wait at once, by a message between tabs. Where that
   * message is lost, the option bounds how late the consumer gets the record; the option has no
   * other effect.
   */
  readonly maxWaitMs?: number;
}

type Optional = 'signal' | 'group' | 'memberId' | 'assignor' | 'onDecodeError' | 'deadLetterTopic';

export type CheckedConsumerOptions = Required<Omit<ConsumerOptions<TopicFilter>, Optional>> & {
  readonly [K in Optional]: ConsumerOptions[K] | undefined;
};

/** The options that have no effect without a group. */
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
  topics: () => {}, // checked below, because the option is required
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

/**
 * `options` with the defaults. Throws a `TypeError` or a `RangeError` for an option that breaks a
 * rule.
 */
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
  if (checked.onDecodeError === 'deadLetter') checkDeadLetter(checked);
  const needless = Object.keys(given).find((name) => Object.hasOwn(GROUP_CHECKS, name));
  if (group === undefined && needless !== undefined) {
    throw new TypeError(`${needless} needs a group: a consumer without one keeps no place`);
  }
  return checked as CheckedConsumerOptions;
}
