import type { Consumer } from '../client/consumer/consumer.ts';
import type { AssignedPartition } from '../client/fetch/consumer-events.ts';
import type { Log } from '../client/log.ts';
import type { TopicFilter } from '../client/message/message.ts';
import type { CheckedConnectOptions } from './connect-options.ts';
import { groupOf, keyOf } from './group-name.ts';
import { SinkError } from './sink/sink-error.ts';

/** A member of the connector's group. */
export function newConsumer(
  log: Log,
  { name, topics, placement, onRefused, deadLetterTopic }: CheckedConnectOptions,
): Consumer<string> {
  const consumer = log.consumer({
    group: groupOf(name),
    topics,
    from: 'earliest',
    placement,
    mustExist: true,
    // A record that cannot be decoded can be delivered to nobody.
    onDecodeError: onRefused === 'stop' ? 'fail' : onRefused,
    ...(deadLetterTopic !== undefined && { deadLetterTopic }),
  });
  return consumer as Consumer<string>;
}

/** Throws where a tab has a connector of this name for other topics. */
export async function checkOthers(log: Log, connector: string, memberId: string): Promise<void> {
  const [{ members }] = await log.admin.describeGroups([groupOf(connector)]);
  const own = members.find((member) => member.memberId === memberId);
  const topicsOf = ({ topics, patterns }: (typeof members)[number]): string =>
    [...topics.toSorted(), ...patterns.map(String).sort()].join(', ');
  // Whoever came first goes on.
  const other = members.find(
    (member) =>
      own !== undefined && member.joinedAt <= own.joinedAt && topicsOf(member) !== topicsOf(own),
  );
  if (own === undefined || other === undefined) return;
  throw new SinkError(
    'fatal',
    `a connector '${connector}' of ${topicsOf(other)} is running, and this one is of ${topicsOf(own)}: ` +
      'give it another name, or close the other one first',
  );
}

/** Whether a connector's group has got to where its partitions ended at one moment. */
export class GroupProgress {
  readonly #log: Log;
  readonly #group: string;
  readonly #ends: ReadonlyMap<string, number>;

  private constructor(log: Log, group: string, ends: ReadonlyMap<string, number>) {
    this.#log = log;
    this.#group = group;
    this.#ends = ends;
  }

  /** `topics`: of earlier ones the group may have offsets, too. */
  static async upToNow(
    log: Log,
    connector: string,
    topics: readonly TopicFilter[],
  ): Promise<GroupProgress> {
    const isOwn = (name: string): boolean =>
      topics.some((each) =>
        each instanceof RegExp
          ? each.test(name)
          : name === (typeof each === 'string' ? each : each.name),
      );
    const group = groupOf(connector);
    const [{ partitions }] = await log.admin.describeGroups([group]);
    const ends = partitions
      .filter(({ topic }) => isOwn(topic))
      .map((place) => [keyOf(place), place.endOffset] as const);
    return new GroupProgress(log, group, new Map(ends));
  }

  /** `told`: where the target of a partition has told this tab that it stands. */
  async isDone(told: (place: AssignedPartition) => number | undefined): Promise<boolean> {
    const [{ partitions }] = await this.#log.admin.describeGroups([this.#group]);
    return partitions.every((place) => {
      const end = this.#ends.get(keyOf(place)) ?? 0;
      return end <= (told(place) ?? place.committedOffset ?? place.startOffset);
    });
  }
}
