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
  /** The longest retry of a partition's commit before a release without it, in milliseconds. */
  readonly releaseTimeoutMs: number;
  /** The offsets of `from` when the consumer was made; `undefined`: `from` is not looked up. */
  readonly startingOffsets: Promise<StartingOffsets | undefined>;
  /** Called when there may be more to read, or less. */
  readonly onChange: () => void;
  /** Called when a partition is being revoked: none of its messages may be started any more. */
  readonly onRevoking: (reader: PartitionReader) => void;
  /** Called with an error of background work. */
  readonly onError: (error: unknown) => void;
}

/**
 * Brings the partitions that the consumer reads in line with those that the group has assigned to
 * the member (the reconciliation of KIP-848). Starts new partitions, releases revoked partitions as
 * soon as none of their messages is in hand, and drops lost partitions.
 */
export class AssignmentReconciler {
  readonly #options: AssignmentReconcilerOptions;
  /** Aborts when the member is lost, which ends its back-off. */
  #lifetime = new AbortController();
  #backOff: BackOff | undefined;
  /** The readers of the member's partitions, by assignment. */
  readonly #held = new Map<string, PartitionReader>();
  /** Assignments that are being started or released. */
  readonly #busy = new Set<string>();
  readonly #releasing = new Set<Promise<void>>();
  /** The readers whose revocation was emitted. */
  readonly #revoked = new WeakSet<PartitionReader>();
  /** Lost partitions whose messages may still be in the application's hands. */
  #lost: PartitionProgress[] = [];
  #member: MemberRef | undefined;
  #view: MemberView | undefined;
  /** Whether the member is leaving: no partition is started any more. */
  #isLeaving = false;

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

  /** Whether the member has exactly its target partitions, and the listeners have settled. */
  get isComplete(): boolean {
    const isRevoking = this.#view?.owned.some(({ revoked }) => revoked) ?? false;
    return this.isPositioned && this.#busy.size === 0 && !isRevoking;
  }

  /** Whether the member has a position in each of its partitions. Listeners may still run. */
  get isPositioned(): boolean {
    const { pending = 1, owned = [] } = this.#view ?? {};
    return (
      pending === 0 &&
      owned.every((assigned) => assigned.revoked || this.#held.has(keyOf(assigned)))
    );
  }

  /** Applies a view of the group. `member` names the epoch in which the member got the view. */
  apply(member: MemberRef, view: MemberView): void {
    const isSameEpoch = this.#member?.memberEpoch === member.memberEpoch;
    if (isSameEpoch && view.generation < this.#view!.generation) return;
    [this.#member, this.#view] = [member, view];
    const owned = new Set(view.owned.map(keyOf));
    this.#lose([...this.#held].flatMap(([key, reader]) => (owned.has(key) ? [] : reader)));
    const notBusy = view.owned.filter((assigned) => !this.#busy.has(keyOf(assigned)));
    const toRelease = notBusy.filter(({ revoked }) => revoked);
    const isNew = (assigned: OwnedPartition): boolean =>
      !assigned.revoked && !this.#isLeaving && !this.#held.has(keyOf(assigned));
    const toStart = notBusy.filter(isNew);
    for (const assigned of [...toRelease, ...toStart]) this.#busy.add(keyOf(assigned));
    if (toStart.length > 0) void this.#start(member, toStart);
    this.#revoke(member, toRelease);
    this.#options.onChange();
  }

  /** Drops all partitions, after the group has removed the member, or the member has left. */
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
   * Revokes all partitions before the member leaves. Waits for listeners for at most `timeoutMs`.
   * Rejects where a commit could not be stored.
   */
  async revokeAll(timeoutMs: number): Promise<void> {
    this.#isLeaving = true;
    const readers = [...this.#held.values()];
    for (const { progress } of readers) progress!.revoke();
    const timeout = deferred();
    const cancel = this.#options.connection.clock.after(timeoutMs, timeout.resolve);
    await Promise.race([Promise.all(this.#releasing), timeout.promise]);
    const held = readers.filter((reader) => this.#held.has(keyOf(reader.progress!)));
    await Promise.race([this.#emitRevoked(held), timeout.promise]);
    cancel();
    await this.#flush(held);
    for (const reader of held) this.#drop(reader);
  }

  async #start(member: MemberRef, partitions: readonly OwnedPartition[]): Promise<void> {
    const { connection, from, startingOffsets, readers } = this.#options;
    const offsets = await startingOffsets;
    const request = {
      member,
      partitions,
      from: checkPosition(from),
      startingOffsets: offsets && partitions.map((assigned) => offsets.of(assigned)),
    };
    const positions = await this.#try(() => connection.call('positionPartitions', request));
    const started = (positions ?? []).flatMap((position, i) => {
      const isStale = this.#member !== member || this.#isLeaving || !this.#owns(partitions[i]!);
      return isStale ? [] : this.#newReader(member, partitions[i]!, position.offset);
    });
    readers.add(started);
    for (const reader of started) this.#held.set(keyOf(reader.progress!), reader);
    if (started.length > 0) {
      const emitted = this.#emitAssigned(started, positions!);
      this.#options.onChange(); // the member is ready, though listeners run
      await emitted;
      for (const reader of started) reader.state.enter('reading');
    }
    this.#finish(member, partitions);
  }

  /** Emits 'reset' and 'assigned'; resolves when the partitions may be read. */
  async #emitAssigned(
    started: readonly PartitionReader[],
    positions: readonly GroupPosition[],
  ): Promise<void> {
    const { listeners } = this.#options;
    const byKey = new Map(positions.map((position) => [keyOf(position), position]));
    const emitted = started.flatMap(({ topic, partition, progress }) => {
      const { reset, offset } = byKey.get(keyOf(progress!))!;
      if (reset === null) return [];
      const { committed: outOfRange, start: startOffset, end: endOffset } = reset;
      const at = { outOfRange, startOffset, endOffset, offset };
      return listeners.emit('reset', { topic: topic.name, partition, ...at });
    });
    // A 'reset' listener may have closed the consumer.
    const held = started.filter(({ state }) => state.delivers);
    if (held.length > 0) emitted.push(listeners.emit('assigned', partitionsEvent(held)));
    await Promise.all(emitted);
  }

  /** Emits 'revoked', once a partition; resolves when the listeners have settled. */
  async #emitRevoked(readers: readonly PartitionReader[]): Promise<void> {
    const revoked = readers.filter((reader) => !this.#revoked.has(reader));
    for (const reader of revoked) this.#revoked.add(reader);
    if (revoked.length > 0) await this.#options.listeners.emit('revoked', partitionsEvent(revoked));
  }

  #newReader(member: MemberRef, assigned: OwnedPartition, offset: number): PartitionReader {
    const { committer, readers } = this.#options;
    const { topic, topicId, partition } = assigned;
    const progress = new PartitionProgress(member, assigned, offset, committer);
    const onError = this.#recover;
    return readers.create(topic, { topicId, partition, offset, progress, onError });
  }

  #revoke(member: MemberRef, partitions: readonly OwnedPartition[]): void {
    const toRelease: OwnedPartition[] = [];
    for (const assigned of partitions) {
      const reader = this.#held.get(keyOf(assigned));
      if (reader === undefined) {
        toRelease.push(assigned);
        continue;
      }
      const progress = reader.progress!;
      progress.revoke();
      this.#options.onRevoking(reader);
      if (progress.isIdle) toRelease.push(assigned);
      else void progress.idle().then(() => this.#startRelease(member, [assigned]));
    }
    if (toRelease.length > 0) this.#startRelease(member, toRelease);
  }

  #startRelease(member: MemberRef, partitions: readonly OwnedPartition[]): void {
    if (this.#member !== member) return; // every partition is lost
    const releasing = this.#release(member, partitions);
    this.#releasing.add(releasing);
    void releasing.then(() => this.#releasing.delete(releasing));
  }

  /** Rejects where the processed offsets could not be stored, and the partition still exists. */
  async #flush(readers: readonly PartitionReader[], forMs = 0): Promise<void> {
    const all = readers.map((reader) => reader.progress!);
    try {
      await this.#options.committer.flush(all, forMs, () => this.#isLeaving);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  async #release(member: MemberRef, partitions: readonly OwnedPartition[]): Promise<void> {
    const { connection, onError, releaseTimeoutMs } = this.#options;
    const held = partitions.flatMap((assigned) => this.#held.get(keyOf(assigned)) ?? []);
    if (held.length > 0) {
      await this.#emitRevoked(held);
      await this.#flush(held, releaseTimeoutMs).catch(onError);
    }
    if (this.#member !== member) return; // every partition is lost
    for (const reader of held) this.#drop(reader);
    const request = { member, partitions };
    const view = await this.#try(() => connection.call('releasePartitions', request));
    if (view !== undefined && this.#member === member) this.apply(member, view);
    this.#finish(member, partitions);
  }

  /** Applies the view again: it may have changed since. */
  #finish(member: MemberRef, partitions: readonly PartitionAssignment[]): void {
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

  /** The result of `call`. After a failure resolves with `undefined`, once a retry makes sense. */
  async #try<T>(call: () => Promise<T>): Promise<T | undefined> {
    const { connection, onError } = this.#options;
    const backOff = (this.#backOff ??= new BackOff(connection, this.#lifetime.signal));
    try {
      const answer = await call();
      backOff.succeeded();
      return answer;
    } catch (error) {
      // After the loss of a partition, the next view of the group is on its way.
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
        lookUp: async (to) => (await this.#try(() => readers.resolve([reader], to)))?.[0],
      });
    }
    return true;
  };
}

function keyOf({ topicId, partition, assignmentEpoch: epoch }: PartitionAssignment): string {
  return `${topicId}/${partition}@${epoch}`;
}
