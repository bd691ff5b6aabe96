import { openLog, string, topic } from '../../../src/index.ts';
import type { GroupPhase, Log, WorkerKind } from '../../../src/index.ts';
import { FirstDeliveries } from './first-deliveries.ts';
import { now } from './now.ts';
import { LOG } from './tablog-cases.ts';

export interface GroupSetting {
  readonly host: WorkerKind;
  readonly partitions: number;
}

/** When the consumer was asked for, when it was ready, and the partitions that it had then. */
export interface Joined {
  readonly asked: number;
  readonly ready: number;
  readonly partitions: readonly number[];
}

export interface GroupShape {
  readonly state: GroupPhase;
  /** How many partitions each member has. */
  readonly shares: readonly number[];
}

const GROUP = 'readers';
/** Between two batches of records: so that there is always something new, and time for the rest. */
const TICK_MS = 25;
/** Of a topic with more partitions, each gets a record every few ticks. */
const PARTITIONS_A_TICK = 32;

/** A tab with an open log: it may produce, or read as a member of the group. */
export class GroupTab {
  readonly #log: Log;
  readonly #partitions: number;

  private constructor(log: Log, partitions: number) {
    this.#log = log;
    this.#partitions = partitions;
  }

  static async open({ host, partitions }: GroupSetting): Promise<GroupTab> {
    return new GroupTab(await openLog(LOG, { host }), partitions);
  }

  get #topic() {
    return topic('work', { key: string(), value: string(), partitions: this.#partitions });
  }

  createTopic(): Promise<unknown> {
    return this.#log.admin.createTopics([this.#topic]);
  }

  /** Until the tab is closed, to every partition in turn. */
  async produce(): Promise<never> {
    const producer = this.#log.producer({ durability: 'relaxed' });
    for (let next = 0; ; next += PARTITIONS_A_TICK) {
      const length = Math.min(this.#partitions, PARTITIONS_A_TICK);
      const batch = Array.from({ length }, (_, i) => ({
        key: 'user',
        value: 'work',
        partition: (next + i) % this.#partitions,
      }));
      await producer.sendBatch(this.#topic, batch);
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  }

  /**
   * Joins the group and reads. A member is ready when the others have given up what is meant for it,
   * so then the group is balanced.
   */
  async join(commit: 'processed' | 'manual'): Promise<Joined> {
    const asked = now();
    const consumer = this.#log.consumer({ group: GROUP, topics: [this.#topic], commit });
    const deliveries = new FirstDeliveries(consumer);
    void deliveries.read(); // where it fails, the page reports it
    await consumer.ready;
    const ready = now();
    return { asked, ready, partitions: consumer.assignment.map(({ partition }) => partition) };
  }

  async describe(): Promise<GroupShape> {
    const [{ state, members, partitions }] = await this.#log.admin.describeGroups([GROUP]);
    const shares = members.map(
      ({ memberId }) => partitions.filter(({ owner }) => owner === memberId).length,
    );
    return { state, shares };
  }
}
