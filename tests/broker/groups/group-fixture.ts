import { TablogError } from '../../../src/base/error.ts';
import type { LogBroker } from '../../../src/broker/log-broker.ts';
import type { GroupState } from '../../../src/group/group-state.ts';
import type { PositionSpec } from '../../../src/protocol/fetch.ts';
import type {
  PartitionAssignment,
  GroupPosition,
  JoinRequest,
  MemberRef,
  MemberView,
  OwnedPartition,
} from '../../../src/protocol/group.ts';
import type { Liveness } from '../../../src/platform/locks/liveness.ts';
import { GROUPS } from '../../../src/store/schema.ts';
import { World } from '../../support/world.ts';
import type { BrokerOptions } from '../../support/world.ts';

export const GROUP_ID = 'billing';
export const SESSION_TIMEOUT_MS = 10_000;
export const REBALANCE_TIMEOUT_MS = 60_000;

/** Tabs that are alive until a test says that they died. */
export class Tabs implements Liveness {
  readonly #dead = new Set<string>();
  readonly #watching = new Map<string, Set<() => void>>();

  onDeath(_: string, id: string, signal: AbortSignal, died: () => void): void {
    const tell = (): void => {
      if (!signal.aborted) died();
    };
    if (this.#dead.has(id)) return void Promise.resolve().then(tell);
    const watching = this.#watching.get(id) ?? new Set();
    this.#watching.set(id, watching.add(tell));
  }

  isAlive(_: string, id: string): Promise<boolean> {
    return Promise.resolve(!this.#dead.has(id));
  }

  kill(id: string): void {
    this.#dead.add(id);
    for (const tell of this.#watching.get(id) ?? []) tell();
  }
}

/** A log with the topic `orders`, whose brokers all see the same tabs. */
export class GroupWorld extends World {
  readonly tabs = new Tabs();

  static async open(partitions = 4): Promise<GroupWorld> {
    const world = new GroupWorld();
    const { broker } = world.broker();
    await broker.createTopics([{ name: 'orders', partitions }]);
    broker.close();
    return world;
  }

  /** One more broker. */
  logBroker(options: BrokerOptions = {}): LogBroker {
    return this.broker({ liveness: this.tabs, ...options }).broker;
  }

  async group(): Promise<GroupState> {
    const [group] = await this.store.readAll<GroupState>(GROUPS);
    if (group === undefined) throw new Error('there is no group');
    return group;
  }

  async members(): Promise<string[]> {
    return (await this.group()).members.map(({ memberId }) => memberId);
  }

  /** Who owns each partition, in order. */
  async owners(): Promise<string> {
    return (await this.group()).partitions.map(({ owner }) => owner ?? '-').join(' ');
  }
}

/** By default in a tab of its own, and for the topic `orders`. */
export function joinRequest(memberId: string, rest: Partial<JoinRequest> = {}): JoinRequest {
  return {
    groupId: GROUP_ID,
    memberId,
    clientId: `tab of ${memberId}`,
    subscription: { topics: ['orders'], patterns: [] },
    assignor: null,
    hidden: false,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
    ...rest,
  };
}

/** A member, without a consumer around it. */
export class Member {
  readonly broker: LogBroker;
  readonly ref: MemberRef;
  view: MemberView;

  constructor(broker: LogBroker, memberId: string, view: MemberView) {
    this.broker = broker;
    const { memberEpoch: epoch, instance } = view;
    this.ref = { groupId: GROUP_ID, instance, memberId, memberEpoch: epoch };
    this.view = view;
  }

  static async join(
    broker: LogBroker,
    memberId: string,
    rest: Partial<JoinRequest> = {},
  ): Promise<Member> {
    return new Member(broker, memberId, await broker.joinGroup(joinRequest(memberId, rest)));
  }

  /** The numbers of the partitions that it has. */
  get partitions(): number[] {
    return this.view.owned.map(({ partition }) => partition);
  }

  assignment(partition: number): OwnedPartition {
    const assignment = this.view.owned.find((owned) => owned.partition === partition);
    if (assignment === undefined) throw new Error(`it does not have partition ${partition}`);
    return assignment;
  }

  /** The group as it is now. */
  async sync(hidden = false): Promise<MemberView> {
    const request = { member: this.ref, generation: -1, hidden, maxWaitMs: 0 };
    return (this.view = await this.broker.syncGroup(request));
  }

  /** The group when it has changed since the last look, or after `maxWaitMs`. */
  async news(maxWaitMs: number): Promise<MemberView> {
    const { generation } = this.view;
    const request = { member: this.ref, generation, hidden: false, maxWaitMs };
    return (this.view = await this.broker.syncGroup(request));
  }

  /** Gives up what it is asked for. */
  async release(): Promise<void> {
    const assignments = (await this.sync()).owned.filter(({ revoked }) => revoked);
    this.view = await this.broker.releasePartitions({ member: this.ref, partitions: assignments });
  }

  leave(): Promise<null> {
    return this.broker.leaveGroup({ member: this.ref, offsets: [] });
  }

  commit(assignment: PartitionAssignment, offset: number, metadata = ''): Promise<null> {
    return this.broker.commitOffsets({
      member: this.ref,
      offsets: [{ ...assignment, offset, metadata }],
    });
  }

  /** Where it begins in what it has. */
  async positions(from: PositionSpec = { at: 'earliest' }): Promise<readonly GroupPosition[]> {
    const { owned: partitions } = await this.sync();
    return this.broker.positionPartitions({ member: this.ref, partitions, from });
  }
}

/** Answers every question for a sign of life, and gives up at once what it is asked for. */
export async function live(member: Member): Promise<void> {
  try {
    for (;;) {
      const { owned } = await member.news(SESSION_TIMEOUT_MS * 100);
      if (owned.some(({ revoked }) => revoked)) await member.release();
    }
  } catch (error) {
    // It was removed, or the test is over.
    if (!(error instanceof TablogError)) throw error;
  }
}
