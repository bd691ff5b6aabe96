import { sleep } from '../../platform/clock.ts';
import { deferred } from '../../base/deferred.ts';
import { mayReadAgain } from '../../base/error.ts';
import type { TablogError } from '../../base/error.ts';
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
import { isGone } from './offset-committer.ts';
import type { OffsetCommitter } from './offset-committer.ts';
import type { StartingOffsets } from '../fetch/starting-offsets.ts';
import { resetPosition, resetReader } from '../fetch/offset-reset.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { AssignedPartitions } from '../fetch/assigned-partitions.ts';

/** What a group is asked is asked again after this, where storage or worker failed. */
export const GROUP_RETRY_MS = 500;

export interface AssignmentReconcilerOptions {
  readonly connection: Connection;
  readonly readers: AssignedPartitions;
  readonly listeners: ConsumerListeners;
  readonly committer: OffsetCommitter;
  readonly from: Position;
  /** How long a partition's commit is repeated before it is released without it, in milliseconds. */
  readonly releaseTimeoutMs: number;
  /**
   * The offsets that `from` stood for when the consumer was made; `undefined` where appends cannot
   * move `from`, or the look-up failed.
   */
  readonly startingOffsets: Promise<StartingOffsets | undefined>;
  /** There may be more to read, or less. */
  readonly onChange: () => void;
  /** Nothing more of it is to begin: it is to be given up. */
  readonly onRevoking: (reader: PartitionReader) => void;
  /** Something failed that nobody waits for. */
  readonly onError: (error: unknown) => void;
}

/**
 * What a member holds, brought in line with what it owns: begins with partitions that it got, gives
 * up those that are asked for as soon as nothing of them is in hand, and drops those that are lost.
 */
export class AssignmentReconciler {
  readonly #options: AssignmentReconcilerOptions;
  readonly #held = new Map<string, PartitionReader>();
  /** Claims with which something is being done. */
  readonly #busy = new Set<string>();
  readonly #releasing = new Set<Promise<void>>();
  /** Readers whose revocation the application has been told of. */
  readonly #revoked = new WeakSet<PartitionReader>();
  /** Lost, and perhaps in the application's hands still. */
  #lost: PartitionProgress[] = [];
  #member: MemberRef | undefined;
  #view: MemberView | undefined;
  /** Nothing begins any more. */
  #isEnding = false;

  constructor(options: AssignmentReconcilerOptions) {
    this.#options = options;
  }

  get holds(): PartitionProgress[] {
    return [...this.#held.values()].map((reader) => reader.progress!);
  }

  /** Of the group as last seen. */
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

  /** The group as it is now, for this life of the member. */
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

  /** The member is none any more. */
  loseAll(): void {
    this.#member = undefined;
    this.#view = undefined;
    this.#busy.clear();
    this.#lose([...this.#held.values()]);
  }

  /** Resolves when nothing of what was lost is in the application's hands. */
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
    const late = deferred();
    const cancel = this.#options.connection.clock.after(timeoutMs, late.resolve);
    await Promise.race([Promise.all(this.#releasing), late.promise]);
    const readers = [...this.#held.values()];
    for (const reader of readers) reader.stopped = true;
    await Promise.race([this.#tellRevoked(readers), late.promise]);
    cancel();
    await this.#flush(readers);
    for (const reader of readers) this.#drop(reader);
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
    readers.all.push(...begun);
    for (const reader of begun) this.#held.set(keyOf(reader.progress!), reader);
    if (begun.length > 0) {
      const told = this.#announce(begun, positions!);
      this.#options.onChange(); // the member is ready, whatever its listeners wait for
      await told;
      for (const reader of begun) reader.stopped = !reader.progress!.isOpen || this.#isEnding;
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
    const held = begun.filter(({ progress }) => progress!.isOpen && !this.#isEnding);
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
    const reader = readers.create(topic, topicId, partition);
    reader.seek(offset);
    reader.progress = new PartitionProgress(member, assigned, offset, committer);
    reader.stopped = true;
    reader.onError = (error) => this.#recover(reader, error);
    return reader;
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
      progress.revoking = true;
      reader.stopped = true;
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
      reader.stopped = true;
      this.#options.onRevoking(reader);
      this.#lost.push(reader.progress!);
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
    try {
      return await call();
    } catch (error) {
      // After a partition is gone, the next view of the group is on its way.
      if (!mayReadAgain(error) && !isGone(error)) this.#options.onError(error);
      await sleep(this.#options.connection.clock, GROUP_RETRY_MS);
      return undefined;
    }
  }

  #recover(reader: PartitionReader, error: TablogError): boolean {
    const isDeleted = error.code === 'UNKNOWN_TOPIC'; // the group takes the partition out
    if (!isDeleted && error.code !== 'OFFSET_OUT_OF_RANGE') return false;
    reader.stopped = true;
    if (!isDeleted) void this.#reset(reader, error);
    return true;
  }

  /** Goes where `from` says, because the place does not exist any more. */
  async #reset(reader: PartitionReader, error: TablogError): Promise<void> {
    const { from, listeners, onChange, readers } = this.#options;
    const { epoch } = reader;
    const offsets = await this.#tried(() => readers.resolve([reader], resetPosition(reader, from)));
    reader.stopped = !reader.progress!.isOpen || this.#isEnding;
    if (offsets !== undefined) resetReader(reader, error, { found: offsets[0]!, epoch, listeners });
    onChange();
  }
}

function keyOf({ topicId, partition, assignmentEpoch: epoch }: PartitionAssignment): string {
  return `${topicId}/${partition}@${epoch}`;
}
