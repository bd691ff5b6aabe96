import { AsyncLocalStorage } from 'node:async_hooks';
import { TablogError } from '../../src/base/error.ts';
import type { OffsetRow } from '../../src/broker/rows/offset-row.ts';
import type { GroupState } from '../../src/group/group-state.ts';
import type { Broker, Method } from '../../src/protocol/broker.ts';
import type { PartitionAssignment, CommitRequest, MemberRef } from '../../src/protocol/group.ts';
import { GROUPS, OFFSETS } from '../../src/store/schema.ts';
import type { Store, Writer } from '../../src/store/store.ts';
import type { HistoryEvent, Holder, Partition } from './history.ts';

/** The call that caused a transaction. */
interface Caller {
  readonly method: Method;
  readonly member: MemberRef;
  readonly partitions: readonly PartitionAssignment[];
}

/** Shared by all walks, because each AsyncLocalStorage slows every later promise of the process. */
const CALLER = new AsyncLocalStorage<Caller | undefined>();

/** Records the history of one group. The store's events are in the order of its transactions. */
export class Recorder {
  readonly history: HistoryEvent[] = [];
  readonly #start: number;
  readonly #now: () => number;
  readonly #topics = new Map<string, string>();
  /** The life and the epoch of the last `positionPartitions`, by member and partition. */
  readonly #begun = new Map<string, Required<Pick<Holder, 'life' | 'epoch'>>>();
  #group: GroupState | undefined;
  #calls = 0;

  constructor(now: () => number) {
    this.#now = now;
    this.#start = now();
  }

  add(event: HistoryEvent): void {
    this.history.push({ ...event, at: this.#now() - this.#start });
  }

  /** Records `called` and `settled` of a promise; resolves with the promise's error, if any. */
  async track(what: string, member: string, promise: Promise<unknown>): Promise<unknown> {
    const call = ++this.#calls;
    this.add({ kind: 'called', call, what, member });
    const error = await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    this.add({ kind: 'settled', call, outcome: error === undefined ? 'ok' : codeOf(error) });
    return error;
  }

  /** Calls the broker, such that the transactions of the call know their caller. */
  listen(broker: Broker, method: Method, request: never): Promise<unknown> {
    const caller = callerOf(method, request);
    if (method === 'positionPartitions') this.#begins(caller!);
    const answer = CALLER.run(caller, () => broker[method](request) as Promise<unknown>);
    if (method === 'commitOffsets') answer.catch((error) => this.#refused(caller!, request, error));
    return answer;
  }

  /** Whether this life of the member ended by `removed`. */
  hasRemoved(member: string, life: number): boolean {
    return this.history.some((event) => {
      return event.kind === 'removed' && event.member === member && event.life === life;
    });
  }

  /** The life and the epoch of a partition that the member was just assigned. */
  mustGetHold(member: string, { topic, partition }: Partition): { life: number; epoch: number } {
    return this.#begun.get(`${member}/${topic}/${partition}`)!;
  }

  /** The store's `update`, with the transactions recorded. */
  watch(store: Store): Pick<Store, 'update'> {
    return {
      update: async (refs, decide, options) => {
        const caller = CALLER.getStore();
        const seen: (() => void)[] = [];
        const result = await store.update(
          refs,
          (rows, write) => {
            const decided = decide(rows, this.#watchWriter(write, caller, seen));
            for (const note of seen) note(); // after `decide` the memory store cannot fail
            return decided;
          },
          options,
        );
        return result;
      },
    };
  }

  /** Binds `work` to the present caller, at whatever time it runs. */
  bind<T>(work: () => T): () => T {
    const caller = CALLER.getStore();
    return () => CALLER.run(caller, work);
  }

  #begins({ member, partitions }: Caller): void {
    for (const { topicId, partition, assignmentEpoch: epoch } of partitions) {
      const key = `${member.memberId}/${this.#topics.get(topicId)!}/${partition}`;
      this.#begun.set(key, { life: member.memberEpoch, epoch });
    }
  }

  #watchWriter(write: Writer, caller: Caller | undefined, seen: (() => void)[]): Writer {
    return {
      put: (store, key, value) => {
        write.put(store, key, value);
        if (store === GROUPS) seen.push(() => this.#changed(value as GroupState, caller));
        if (store === OFFSETS) seen.push(() => this.#accepted(value as OffsetRow, caller));
      },
      delete: (store, key) => write.delete(store, key),
      deleteSegments: (store, from, to) => write.deleteSegments(store, from, to),
      clear: (store) => write.clear(store),
    };
  }

  #accepted({ topicId, partition, offset }: OffsetRow, caller: Caller | undefined): void {
    if (caller === undefined) throw new Error('offsets are written, and nobody has asked for it');
    const { memberId, memberEpoch: life } = caller.member;
    const assigned = caller.partitions.find(
      (p) => p.topicId === topicId && p.partition === partition,
    )!;
    const place = { topic: this.#topics.get(topicId)!, partition, offset };
    const { assignmentEpoch: epoch } = assigned;
    this.add({ kind: 'committed', outcome: 'accepted', member: memberId, life, epoch, ...place });
  }

  #refused({ member }: Caller, { offsets }: CommitRequest, error: unknown): void {
    for (const { topicId, partition, offset, assignmentEpoch: epoch } of offsets) {
      this.add({
        kind: 'committed',
        outcome: codeOf(error),
        member: member.memberId,
        life: member.memberEpoch,
        epoch,
        topic: this.#topics.get(topicId)!,
        partition,
        offset,
      });
    }
  }

  #changed(next: GroupState, caller: Caller | undefined): void {
    const before = this.#group;
    this.#group = next;
    for (const { memberId: member, epoch: life } of before?.members ?? []) {
      if (next.members.some((m) => m.memberId === member && m.epoch === life)) continue;
      const left = caller?.method === 'leaveGroup' && caller.member.memberId === member;
      if (!left) this.add({ kind: 'removed', member, life });
    }
    for (const { memberId: member, epoch: life } of next.members) {
      if (before?.members.some((m) => m.memberId === member && m.epoch === life)) continue;
      this.add({ kind: 'joined', member, life });
    }
    for (const { topicId, topic, partition, owner, epoch } of next.partitions) {
      this.#topics.set(topicId, topic);
      const was = before?.partitions.find(
        (p) => p.topicId === topicId && p.partition === partition,
      );
      if (was?.owner === owner && was?.epoch === epoch) continue;
      this.add({ kind: 'owner', topic, partition, member: owner, epoch });
    }
    for (const { topicId, topic, partition, epoch } of before?.partitions ?? []) {
      if (next.partitions.some((p) => p.topicId === topicId && p.partition === partition)) continue;
      this.add({ kind: 'owner', topic, partition, member: null, epoch });
    }
  }
}

function callerOf(method: Method, request: unknown): Caller | undefined {
  const { member, partitions, offsets, commits } = (request ?? {}) as {
    member?: MemberRef;
    partitions?: readonly PartitionAssignment[];
    offsets?: readonly PartitionAssignment[];
    commits?: readonly CommitRequest[];
  };
  if (commits?.[0] !== undefined) return callerOf('commitOffsets', commits[0]);
  return member === undefined
    ? undefined
    : { method, member, partitions: partitions ?? offsets ?? [] };
}

export function codeOf(error: unknown): string {
  return error instanceof TablogError ? error.code : String(error);
}
