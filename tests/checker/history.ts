import { MemberChecker } from './member-checker.ts';
import { PartitionChecker } from './partition-checker.ts';

/**
 * Proves from the history of a run that a consumer group kept its promises. The proof is pure: a
 * history is an array of events in their order, by any recorder.
 *
 *     produced      a record was stored
 *     assigned      a member's 'assigned' listener was called, for one partition
 *     revoked       a member's 'revoked' listener was called, for one partition; or a member closes
 *     lost          a member's 'lost' listener was called, for one partition
 *     delivered     the application got a record: one event for each record of a batch
 *     processed     the application processed a record, before it asks for the next record
 *     rewound       the application left its loop, or sought: some records may be delivered again
 *     committed     a commit was accepted or refused
 *     acknowledged  a commit or a close resolved, which promises that all before the
 *                   offset is committed; only in a history with every `committed`
 *     left          a member's consumer begins to close
 *     fault         a fault of one member or of all, which excuses the removal of a member
 *     called        a call was made; optional for calls of a member whose tab crashes
 *     settled       the promise of a call settled
 *     ended         the end offset and the committed offset of a partition at the end of the run
 *
 * A `committed` with a `call` comes before the `settled` of that call.
 *
 * A recorder that sees the store adds events in the order of the store's transactions, and more is
 * proved by them: `joined` and `removed` (a member joined, or was removed without leaving), and
 * `owner` (a partition got another owner, or none).
 *
 * The group's members begin at the earliest record. A recorder may leave out epochs that it does
 * not know: a member's hold on a partition then lasts from its `assigned` to its `revoked` or
 * `lost`. A recorder may leave out commits that it does not see: `ended` has the last committed
 * offset.
 */
export type HistoryEvent = { /** The time, for people only. */ readonly at?: number } & (
  | ({ readonly kind: 'produced' } & Place)
  | ({ readonly kind: 'assigned' | 'revoked' | 'lost' | 'rewound' } & Holder & Partition)
  | Delivered
  | ({ readonly kind: 'processed' | 'acknowledged' } & Holder & Place)
  | Committed
  | { readonly kind: 'left'; readonly member: string }
  | { readonly kind: 'joined' | 'removed'; readonly member: string; readonly life: number }
  | Owner
  | Fault
  | {
      readonly kind: 'called';
      readonly call: number;
      readonly what: string;
      readonly member?: string;
    }
  | { readonly kind: 'settled'; readonly call: number; readonly outcome: string }
  | ({
      readonly kind: 'ended';
      readonly endOffset: number;
      readonly committedOffset: number | null;
    } & Partition)
);

export interface Partition {
  readonly topic: string;
  readonly partition: number;
}

/** A record's place. The offset of a commit is the next offset to read. */
export interface Place extends Partition {
  readonly offset: number;
}

/** A member, its life, and the epoch of its hold on the partition. */
export interface Holder {
  readonly member: string;
  /** The member epoch: a member that joins again with the same id begins another life. */
  readonly life?: number;
  /** The assignment epoch of the partition. */
  readonly epoch?: number;
}

export interface Delivered extends Holder, Place {
  readonly kind: 'delivered';
  /**
   * With concurrent handlers, the record's key: only records of one lane must stay in order.
   * Without a lane, all records of the partition must.
   */
  readonly lane?: string;
}

export interface Committed extends Holder, Place {
  readonly kind: 'committed';
  /** 'accepted', or the code of the error. */
  readonly outcome: string;
  /**
   * The commit took effect at some time after this `called`. Without a call, the commit took effect
   * at this very event, which was recorded in the commit's transaction.
   */
  readonly call?: number;
}

export interface Owner extends Partition {
  readonly kind: 'owner';
  /** null: no owner. */
  readonly member: string | null;
  readonly epoch: number;
}

export interface Fault {
  readonly kind: 'fault';
  /**
   * 'crash': calls of the member need not settle any more. 'stuck': from now until 'goesOn', the
   * partitions that the member has or gets may be taken from it.
   */
  readonly what: 'crash' | 'freeze' | 'thaw' | 'stuck' | 'goesOn';
  /** Default: all members. */
  readonly member?: string;
}

/** A broken rule, and the events that prove it: the earlier events make the last event wrong. */
export interface Violation {
  readonly rule: Rule;
  readonly happened: string;
  /** The indices of the events in the history. */
  readonly events: readonly number[];
}

export type Rule =
  | 'one member an epoch'
  | 'one member at a time'
  | 'only to the owner'
  | 'in order'
  | 'begins where the group is'
  | 'commits what is processed'
  | 'commits go forwards'
  | 'only the owner commits'
  | 'acknowledged is stored'
  | 'everything is delivered'
  | 'everything is processed'
  | 'everything is committed'
  | 'everything settles'
  | 'removed for a reason';

/** Reports a broken rule. */
export type Report = (rule: Rule, happened: string, ...events: (number | undefined)[]) => void;

/** The violations of a history; empty when every rule holds. */
export function checkHistory(history: readonly HistoryEvent[]): Violation[] {
  const violations: Violation[] = [];
  const report: Report = (rule, happened, ...events) => {
    const known = events.filter((event) => event !== undefined);
    violations.push({ rule, happened, events: known.sort((a, b) => a - b) });
  };
  const members = new MemberChecker(report);
  const partitions = new Map<string, PartitionChecker>();
  const partitionOf = ({ topic, partition }: Partition): PartitionChecker => {
    const name = `${topic}/${partition}`;
    const checker = partitions.get(name) ?? new PartitionChecker(name, members, report);
    partitions.set(name, checker);
    return checker;
  };
  // All records are collected first: a record can be delivered before its producer gets the offset.
  for (const event of history) {
    if (event.kind === 'produced' || event.kind === 'delivered') partitionOf(event).exists(event);
  }
  history.forEach((event, i) => {
    members.see(event, i);
    if ('partition' in event) partitionOf(event).see(event, i);
  });
  for (const partition of partitions.values()) partition.finish();
  members.finish();
  return violations;
}

/** The violations as text for people, with the events that prove them. */
export function explain(
  history: readonly HistoryEvent[],
  violations: readonly Violation[],
  atMost = 5,
): string {
  const told = violations.slice(0, atMost).map(({ rule, happened, events }) => {
    const lines = events.map((i) => `    #${i} ${textOf(history[i]!)}`);
    return [`${rule}: ${happened}`, ...lines].join('\n');
  });
  const left = violations.length - told.length;
  return [...told, ...(left > 0 ? [`and ${left} more`] : [])].join('\n');
}

/** An event as one line of text. */
function textOf({ kind, at, ...facts }: HistoryEvent): string {
  const { topic, partition, offset, ...others } = facts as Readonly<
    Record<string, string | number>
  >;
  const place = [topic, partition, offset].filter((part) => part !== undefined).join('/');
  const rest = Object.entries(others).map(([name, value]) => `${name} ${value}`);
  return [kind, place, ...rest, at === undefined ? '' : `at ${at}`].filter(Boolean).join(' ');
}
