import type { Contents, Found, RunRecord, Sent } from './run-record.ts';

/** The outcome of a run. */
export interface Verdict {
  /** Acked records that are gone, or are not what was sent, and no status said so. */
  readonly lost: number;
  /** Such records where a status said so. */
  readonly told: number;
  /** Records that are there more than once. */
  readonly doubled: number;
  /** Everything that breaks a rule, for people; empty: none was broken. */
  readonly problems: readonly string[];
}

/** The statuses by which a log tells that it has lost records. */
const TELL_OF_LOSS: ReadonlySet<string> = new Set(['logDeleted', 'logReset', 'recordsLost']);

/** The most problems of one rule that are named. */
const NAMED = 3;

/**
 * Holds a run against the rules:
 * - every acked record is there once, at its place, with its bytes; where it is not, a status said so
 * - offsets are contiguous from the start of the partition
 * - the records of each producer are in its order
 * - the copies of a partition are its records, each once and in order: so no record had two members
 *   whose commits counted
 * - every promise settled in time, and no rejection was left unhandled
 */
export function checkRun({ events, orders, copies }: RunRecord): Verdict {
  const problems = new Problems();
  const isTold = events.some((event) => event.kind === 'status' && TELL_OF_LOSS.has(event.type));

  const found = new Map<string, number>();
  let doubled = 0;
  for (const { records } of orders) {
    for (const record of records) {
      const times = (found.get(nameOf(record)) ?? 0) + 1;
      found.set(nameOf(record), times);
      if (times === 1) continue;
      doubled++;
      problems.add('doubled', nameOf(record));
    }
  }

  let missing = 0;
  for (const event of events) {
    if (event.kind !== 'acked') continue;
    const { partition, offset } = event;
    const record = recordAt(orders[partition], offset);
    if (record !== undefined && record.isWhole && nameOf(record) === nameOf(event)) continue;
    missing++;
    const what =
      record === undefined ? 'nothing' : `${nameOf(record)}${record.isWhole ? '' : ' (damaged)'}`;
    if (!isTold) problems.add('lost', `${nameOf(event)}: at ${partition}/${offset} is ${what}`);
  }

  orders.forEach((contents, partition) => {
    checkContiguous(contents, `orders/${partition}`, problems);
    checkOrder(contents, `orders/${partition}`, problems);
    const copied = copies[partition]!;
    checkContiguous(copied, `copies/${partition}`, problems);
    // A log that has lost records may have lost orders of which there are copies, or the reverse.
    if (!isTold) checkCopies(contents, copied, partition, problems);
  });

  for (const event of events) {
    if (event.kind === 'late') problems.add('late', event.call);
    if (event.kind === 'unhandled') problems.add('unhandled', event.text);
  }
  const [lost, told] = isTold ? [0, missing] : [missing, 0];
  return { lost, told, doubled, problems: problems.all() };
}

function checkContiguous(contents: Contents, where: string, problems: Problems): void {
  const { startOffset, endOffset, records } = contents;
  let next = startOffset;
  for (const { offset } of records) {
    if (offset !== next) problems.add('gap', `${where}: ${offset} comes after ${next - 1}`);
    next = offset + 1;
  }
  if (next !== endOffset) problems.add('gap', `${where}: ends at ${next}, and not at ${endOffset}`);
}

function checkOrder({ records }: Contents, where: string, problems: Problems): void {
  const last = new Map<string, number>();
  for (const { producer, n } of records) {
    const before = last.get(producer) ?? -1;
    if (n < before) problems.add('reordered', `${where}: ${producer}/${n} after ${before}`);
    last.set(producer, Math.max(n, before));
  }
}

function checkCopies(
  { records: originals }: Contents,
  { records: copies }: Contents,
  partition: number,
  problems: Problems,
): void {
  const wrong = copies.findIndex(
    (copy, i) => originals[i] === undefined || nameOf(copy) !== nameOf(originals[i]),
  );
  if (wrong >= 0) {
    problems.add('copies', `copies/${partition}: ${nameOf(copies[wrong]!)} is the ${wrong}th copy`);
  } else if (copies.length < originals.length) {
    const left = originals.length - copies.length;
    problems.add('copies', `copies/${partition}: ${left} records were not copied`);
  }
}

function recordAt(contents: Contents | undefined, offset: number): Found | undefined {
  if (contents === undefined) return undefined;
  const guess = contents.records[offset - contents.startOffset];
  return guess?.offset === offset
    ? guess
    : contents.records.find((record) => record.offset === offset);
}

function nameOf({ producer, n }: Sent): string {
  return `${producer}/${n}`;
}

/** The problems by rule: a thousand of one kind would hide the one of another. */
class Problems {
  readonly #byRule = new Map<string, string[]>();

  add(rule: string, problem: string): void {
    const known = this.#byRule.get(rule) ?? [];
    known.push(problem);
    this.#byRule.set(rule, known);
  }

  all(): string[] {
    return [...this.#byRule].flatMap(([rule, problems]) => {
      const named = problems.slice(0, NAMED).map((problem) => `${rule}: ${problem}`);
      const left = problems.length - named.length;
      return left > 0 ? [...named, `${rule}: and ${left} more`] : named;
    });
  }
}
