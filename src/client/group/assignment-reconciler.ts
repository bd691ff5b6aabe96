import { deferred } from '../../base/deferred.ts';
import { isAway, isGone } from '../../base/error.ts';
import type { TablogError } from '../../base/error.ts';
import { BackOff } from '../../platform/retry.ts';
import type {
  PartitionAssignment,
  GroupPosition,
  MemberRef,
  MemberView,
  OwnedPartition,
} from '../../protocol/group.ts';
import type { Connection } from '../connection/connection.ts';
import { partitionsEvent } from '../fetch/consumer-events.ts';
import type { ConsumerListeners } from '../fetch/consumer-events.ts';
import { checkPosition } from '../fetch/position.ts';
import type { Position } from '../fetch/position.ts';
import { PartitionProgress } from '../message/partition-progress.ts';
import type { OffsetCommitter } from './offset-committer.ts';
import type { StartingOffsets } from '../fetch/starting-offsets.ts';
import { resetOffset } from '../fetch/offset-reset.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { AssignedPartitions } from '../fetch/assigned-partitions.ts';

export interface AssignmentReconcilerOptions {
  readonly connection: Connection;
  readonly readers: AssignedPartitions;
  readonly listeners: ConsumerListeners;
  readonly committer: OffsetCommitter;
  readonly from: Position;
  /**
   * How long a partition's commit is repeated before it is released without it, in milliseconds.
   */
  readonly releaseTimeoutMs: number;
  /**
   * The offsets of `from` when the consumer was made; `undefined` where `from` is not looked up.
   */
  readonly startingOffsets: Promise<StartingOffsets | undefined>;
  /** There may be more to read, or less. */
  readonly onChange: () => void;
  /** Called when a partition is to be given up: no message of it is to be started any more. */
  readonly onRevoking: (reader: PartitionReader) => void;
  /** Called with an error of work that nobody waits for. */
  readonly onError: (error: unknown) => void;
}

/**
 * Brings what the consumer reads in line with what the group has assigned to the member: starts new
 * partitions, releases those that the group wants back as soon as none of their messages is in
 * hand, and drops those that are lost.
 */
export class AssignmentReconciler {
  readonly #options: AssignmentReconcilerOptions;
  /** Aborts when the member is lost: what it waits for ends. */
  #lifetime = new AbortController();
  #backOff: BackOff | undefined;
  /** The readers of the member's partitions, by assignment. */
  readonly #held = new Map<string, PartitionReader>();
  /** Assignments that are being started or released. */
  readonly #busy = new Set<string>();
  readonly #releasing = new Set<Promise<void>>();
  /** Readers whose revocation the application has been told of. */
  readonly #revoked = new WeakSet<PartitionReader>();
  /** Lost partitions, of which messages may still be in the application's hands. */
  #lost: PartitionProgress[] = [];
  #member: MemberRef | undefined;
  #view: MemberView | undefined;
  /** Whether the member leaves: no partition is started any more. */
  #isEnding = false;

  constructor(options: AssignmentReconcilerOptions) {
    this.#options = options;
  }

  get holds(): PartitionProgress[] {
    return [...this.#held.values()].map((reader) => reader.progress!);
  }

  /** The group's generation as of the last view. */
  get generation(): number {
    return this.#view?.generation ?? -1;
  }

  /** Whether the member has exactly the partitions meant for it, and listeners are done. */
  get isComplete(): boolean {
    const isGivingUp = this.#view?.owned.some(({ revoked }) => revoked) ?? false;
    return this.isPositioned && this.#busy.size === 0 && !isGivingUp;
  }

  /** Whether the member has a position in every partition of its own; listeners may still run. */
  get isPositioned(): boolean {
    const { pending = 1, owned = [] } = this.#view ?? {};
    return (
      pending === 0 &&
      owned.every((assigned) => assigned.revoked || this.#held.has(keyOf(assigned)))
    );
  }

  /** Takes a view of the group, as this life of the member sees it. */
  apply(member: MemberRef, view: MemberView): void {
    const isSameLife = this.#member?.memberEpoch === member.memberEpoch;
    if (isSameLife && view.generation < this.#view!.generation) return;
    [this.#member, this.#view] = [member, view];
    const owned = new Set(view.owned.map(keyOf));
    this.#lose([...this.#held].flatMap(([key, reader]) => (owned.has(key) ? [] : reader)));
    const idle = view.owned.filter((assigned) => !this.#busy.has(keyOf(assigned)));
    const toRelease = idle.filter(({ revoked }) => revoked);
    const isToBegin = (assigned: OwnedPartition): boolean =>
      !assigned.revoked && !this.#isEnding && !this.#held.has(keyOf(assigned));
    const toBegin = idle.filter(isToBegin);
    for (const assigned of [...toRelease, ...toBegin]) this.#busy.add(keyOf(assigned));
    if (toBegin.length > 0) void this.#begin(member, toBegin);
    this.#giveUp(member, toRelease);
    this.#options.onChange();
  }

  /** Drops everything: the group has removed the member, or it has left. */
  loseAll(): void {
    [this.#member, this.#view] = [undefined, undefined];
    this.#lifetime.abort();
    [this.#lifetime, this.#backOff] = [new AbortController(), undefined];
    this.#busy.clear();
    this.#lose([...this.#held.values()]);
  }

  /** Resolves when no message of a lost partition is in the application's hands. */
  async lostIdle(): Promise<void> {
    await Promise.all(this.#lost.map((progress) => progress.idle()));
    this.#lost = [];
  }

  /**
   * Gives up all partitions before the member leaves; waits for listeners for `timeoutMs` at the
   * most. Rejects where a commit could not be stored.
   */
  async revokeAll(timeoutMs: number): Promise<void> {
    this.#isEnding = true;
    const readers = [...this.#held.values()];
    for (const { progress } of readers) progress!.revoke();
    const late = deferred();
    const cancel = this.#options.connection.clock.after(timeoutMs, late.resolve);
    await Promise.race([Promise.all(this.#releasing), late.promise]);
    const held = readers.filter((reader) => this.#held.has(keyOf(reader.progress!)));
    await Promise.race([this.#tellRevoked(held), late.promise]);
    cancel();
    await this.#flush(held);
    for (const reader of held) this.#drop(reader);
  }

  async #begin(member: MemberRef, partitions: readonly OwnedPartition[]): Promise<void> {
    const { connection, from, startingOffsets, readers } = this.#options;
    const places = await startingOffsets;
    const request = {
      member,
      partitions,
      from: checkPosition(from),
      startingOffsets: places && partitions.map((assigned) => places.of(assigned)),
    };
    const positions = await this.#tried(() => connection.call('positionPartitions', request));
    const begun = (positions ?? []).flatMap((position, i) => {
      const isOver = this.#member !== member || this.#isEnding || !this.#owns(partitions[i]!);
      return isOver ? [] : this.#newReader(member, partitions[i]!, position.offset);
    });
    readers.add(begun);
    for (const reader of begun) this.#held.set(keyOf(reader.progress!), reader);
    if (begun.length > 0) {
      const told = this.#announce(begun, positions!);
      this.#options.onChange(); // the member is ready, whatever its listeners wait for
      await told;
      for (const reader of begun) reader.state.enter('reading');
    }
    this.#done(member, partitions);
  }

  /** Emits 'assigned'; resolves when the partitions may be read. */
  async #announce(
    begun: readonly PartitionReader[],
    positions: readonly GroupPosition[],
  ): Promise<void> {
    const { listeners } = this.#options;
    const places = new Map(positions.map((position) => [keyOf(position), position]));
    const told = begun.flatMap(({ topic, partition, progress }) => {
      const { reset, offset } = places.get(keyOf(progress!))!;
      if (reset === null) return [];
      const { committed: outOfRange, start: startOffset, end: endOffset } = reset;
      const at = { outOfRange, startOffset, endOffset, offset };
      return listeners.emit('reset', { topic: topic.name, partition, ...at });
    });
    // A 'reset' listener may have closed it.
    const held = begun.filter(({ state }) => state.delivers);
    if (held.length > 0) told.push(listeners.emit('assigned', partitionsEvent(held)));
    await Promise.all(told);
  }

  /** Emits 'revoked', once a partition; resolves when the listeners are done. */
  async #tellRevoked(readers: readonly PartitionReader[]): Promise<void> {
    const untold = readers.filter((reader) => !this.#revoked.has(reader));
    for (const reader of untold) this.#revoked.add(reader);
    if (untold.length > 0) await this.#options.listeners.emit('revoked', partitionsEvent(untold));
  }

  #newReader(member: MemberRef, assigned: OwnedPartition, offset: number): PartitionReader {
    const { committer, readers } = this.#options;
    const { topic, topicId, partition } = assigned;
    const progress = new PartitionProgress(member, assigned, offset, committer);
    const onError = this.#recover;
    return readers.create(topic, { topicId, partition, offset, progress, onError });
  }

  #giveUp(member: MemberRef, partitions: readonly OwnedPartition[]): void {
    const idle: OwnedPartition[] = [];
    for (const assigned of partitions) {
      const reader = this.#held.get(keyOf(assigned));
      if (reader === undefined) {
        idle.push(assigned);
        continue;
      }
      const progress = reader.progress!;
      progress.revoke();
      this.#options.onRevoking(reader);
      if (progress.isIdle) idle.push(assigned);
      else void progress.idle().then(() => this.#startRelease(member, [assigned]));
    }
    if (idle.length > 0) this.#startRelease(member, idle);
  }

  #startRelease(member: MemberRef, partitions: readonly OwnedPartition[]): void {
    if (this.#member !== member) return; // all of it is lost
    const releasing = this.#release(member, partitions);
    this.#releasing.add(releasing);
    void releasing.then(() => this.#releasing.delete(releasing));
  }

  /** Rejects where what is processed could not be stored, and the partition is still there. */
  async #flush(readers: readonly PartitionReader[], forMs = 0): Promise<void> {
    const all = readers.map((reader) => reader.progress!);
    try {
      await this.#options.committer.flush(all, forMs, () => this.#isEnding);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  async #release(member: MemberRef, partitions: readonly OwnedPartition[]): Promise<void> {
    const { connection, onError, releaseTimeoutMs } = this.#options;
    const held = partitions.flatMap((assigned) => this.#held.get(keyOf(assigned)) ?? []);
    if (held.length > 0) {
      await this.#tellRevoked(held);
      await this.#flush(held, releaseTimeoutMs).catch(onError);
    }
    if (this.#member !== member) return; // all of it is lost
    for (const reader of held) this.#drop(reader);
    const request = { member, partitions };
    const view = await this.#tried(() => connection.call('releasePartitions', request));
    if (view !== undefined && this.#member === member) this.apply(member, view);
    this.#done(member, partitions);
  }

  /** Looks again: the group may have changed since. */
  #done(member: MemberRef, partitions: readonly PartitionAssignment[]): void {
    if (this.#member !== member) return;
    for (const assigned of partitions) this.#busy.delete(keyOf(assigned));
    this.apply(member, this.#view!);
  }

  #lose(readers: readonly PartitionReader[]): void {
    if (readers.length === 0) return;
    for (const reader of readers) {
      const progress = reader.progress!;
      progress.revoke();
      this.#options.onRevoking(reader);
      this.#lost.push(progress);
      this.#drop(reader);
    }
    void this.#options.listeners.emit('lost', partitionsEvent(readers));
  }

  #drop(reader: PartitionReader): void {
    this.#options.readers.remove(reader);
    this.#held.delete(keyOf(reader.progress!));
    reader.progress!.lose();
  }

  #owns(assigned: PartitionAssignment): boolean {
    return this.#view!.owned.some((owned) => keyOf(owned) === keyOf(assigned));
  }

  /** What `call` brings; `undefined` where it failed, and then when it makes sense to try again. */
  async #tried<T>(call: () => Promise<T>): Promise<T | undefined> {
    const { connection, onError } = this.#options;
    const backOff = (this.#backOff ??= new BackOff(connection, this.#lifetime.signal));
    try {
      const answer = await call();
      backOff.succeeded();
      return answer;
    } catch (error) {
      // After a partition is gone, the next view of the group is on its way.
      if (!isAway(error) && !isGone(error)) onError(error);
      await backOff.failed();
      return undefined;
    }
  }

  readonly #recover = (reader: PartitionReader, error: TablogError): boolean => {
    const { from, readers } = this.#options;
    if (error.code === 'UNKNOWN_TOPIC') reader.state.enter('deleted');
    else if (error.code !== 'OFFSET_OUT_OF_RANGE') return false;
    else {
      void resetOffset(reader, error, {
        ...this.#options,
        to: from,
        lookUp: async (to) => (await this.#tried(() => readers.resolve([reader], to)))?.[0],
      });
    }
    return true;
  };
}

function keyOf({ topicId, partition, assignmentEpoch: epoch }: PartitionAssignment): string {
  return `${topicId}/${partition}@${epoch}`;
}
