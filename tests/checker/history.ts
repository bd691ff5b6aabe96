import { MemberChecker } from './member-checker.ts';
import { PartitionChecker } from './partition-checker.ts';

/**
 * Proves from the record of a run that a group kept its promises. Pure: the record is an array of
 * events, in the order in which they happened, whoever wrote it down.
 *
 *     produced      a record was stored
 *     assigned      a member's 'assigned' listener was called, for one partition
 *     revoked       its 'revoked' listener was called, for one partition; or it closes
 *     lost          its 'lost' listener was called, for one partition
 *     delivered     the application got a record: one event for each record of a batch
 *     processed     the application has done with it; before it asks for the next one
 *     rewound       the application left its loop, or sought: some records may come again
 *     committed     a commit was accepted or refused
 *     acknowledged  a promise resolved that says that so much is committed: of a commit, or of a close;
 *                   only where every `committed` is recorded
 *     left          a member's consumer begins to close
 *     fault         something that excuses the removal of a member was done to it, or to all
 *     called        a promise was made; not needed for what a member of a crashed tab waits for
 *     settled       it has settled
 *     ended         how far a partition was at the end
 *
 * A `committed` with a `call` comes before the `settled` of that call.
 *
 * Who can look into the store writes down more, in the order of its transactions; then more is
 * proved: `joined` and `removed` (a member came, or was removed without leaving), and `owner`
 * (a partition got another owner, or none).
 *
 * The group's members begin at the earliest record. Epochs may be left out where nobody knows them: then a member's hold is what lies between its
 * `assigned` and its `revoked` or `lost`. So may commits that nobody sees: `ended` tells the rest.
 */
export type HistoryEvent = { /** Only to be read by people. */ readonly at?: number } & (
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

/** Of a commit: the next offset to be read. */
export interface Place extends Partition {
  readonly offset: number;
}

/** Who, in which of its lives, and by which hold on the partition. */
export interface Holder {
  readonly member: string;
  /** The epoch of its joining. */
  readonly life?: number;
  /** The epoch of the partition. */
  readonly epoch?: number;
}

export interface Delivered extends Holder, Place {
  readonly kind: 'delivered';
  /** Where handlers run side by side: what has to stay in order, by key. Left out: all of it. */
  readonly lane?: string;
}

export interface Committed extends Holder, Place {
  readonly kind: 'committed';
  /** 'accepted', or the code of the error. */
  readonly outcome: string;
  /**
   * It took effect at some time after this `called`. Left out: just here, because this was written
   * down in its transaction.
   */
  readonly call?: number;
}

export interface Owner extends Partition {
  readonly kind: 'owner';
  /** null: nobody. */
  readonly member: string | null;
  readonly epoch: number;
}

export interface Fault {
  readonly kind: 'fault';
  /**
   * 'crash': nothing of the member's is waited for any more. 'stuck': what it is given from now on
   * may be taken from it as well, until 'goesOn'.
   */
  readonly what: 'crash' | 'freeze' | 'thaw' | 'stuck' | 'goesOn';
  /** Left out: all. */
  readonly member?: string;
}

/** A rule that was broken, and by which events: the earlier ones are what makes the last one wrong. */
export interface Violation {
  readonly rule: Rule;
  readonly happened: string;
  /** Where they are in the history. */
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

/** What is wrong with a history; nothing, if all is well. */
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
  // What there is to read, whenever its producer heard of it.
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

/** The violations, with the events that show them, to be read by people. */
export function explain(
  history: readonly HistoryEvent[],
  violations: readonly Violation[],
  atMost = 5,
): string {
  const told = violations.slice(0, atMost).map(({ rule, happened, events }) => {
    const lines = events.map((i) => `    #${i} ${tell(history[i]!)}`);
    return [`${rule}: ${happened}`, ...lines].join('\n');
  });
  const left = violations.length - told.length;
  return [...told, ...(left > 0 ? [`and ${left} more`] : [])].join('\n');
}

/** An event in one line. */
function tell({ kind, at, ...facts }: HistoryEvent): string {
  const { topic, partition, offset, ...others } = facts as Readonly<
    Record<string, string | number>
  >;
  const place = [topic, partition, offset].filter((part) => part !== undefined).join('/');
  const rest = Object.entries(others).map(([name, value]) => `${name} ${value}`);
  return [kind, place, ...rest, at === undefined ? '' : `at ${at}`].filter(Boolean).join(' ');
}
