import type { Contents, Found, LostRange, RunEvent, RunRecord, Sent } from './run-record.ts';

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

/** The statuses by which a log tells that all of it may be lost; `recordsLost` has a range. */
const TELL_OF_ALL: ReadonlySet<string> = new Set(['logDeleted', 'logReset']);

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
  const told = new ToldLosses(events);

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

  let lost = 0;
  let toldLost = 0;
  for (const event of events) {
    if (event.kind !== 'acked') continue;
    const { partition, offset } = event;
    const record = recordAt(orders[partition], offset);
    if (record !== undefined && record.isWhole && nameOf(record) === nameOf(event)) continue;
    if (told.covers('orders', partition, offset)) {
      toldLost++;
      continue;
    }
    lost++;
    const what =
      record === undefined ? 'nothing' : `${nameOf(record)}${record.isWhole ? '' : ' (damaged)'}`;
    problems.add('lost', `${nameOf(event)}: at ${partition}/${offset} is ${what}`);
  }

  orders.forEach((contents, partition) => {
    const copied = copies[partition]!;
    checkContiguous(contents, { topic: 'orders', partition, told, problems });
    checkOrder(contents, `orders/${partition}`, problems);
    checkContiguous(copied, { topic: 'copies', partition, told, problems });
    if (told.isOf(partition)) checkCopiesOfRest(contents, copied, { partition, told, problems });
    else checkCopies(contents, copied, partition, problems);
  });

  for (const event of events) {
    if (event.kind === 'late') problems.add('late', event.call);
    if (event.kind === 'unhandled') problems.add('unhandled', event.text);
  }
  return { lost, told: toldLost, doubled, problems: problems.all() };
}

/** What the statuses of a run told to be lost. */
class ToldLosses {
  readonly #isAll: boolean;
  readonly #topics: ReadonlySet<string>;
  readonly #ranges: readonly LostRange[];

  constructor(events: readonly RunEvent[]) {
    const statuses = events.filter((event) => event.kind === 'status');
    const unusable = events.filter((event) => event.kind === 'unusable');
    this.#isAll =
      statuses.some(({ type }) => TELL_OF_ALL.has(type)) ||
      unusable.some(({ topic }) => topic === undefined);
    this.#topics = new Set(unusable.flatMap(({ topic }) => topic ?? []));
    this.#ranges = statuses.flatMap(({ lost }) => lost ?? []);
  }

  covers(topic: string, partition: number, from: number, to = from + 1): boolean {
    if (this.#isAll || this.#topics.has(topic)) return true;
    let next = from;
    while (next < to) {
      const range = this.#ranges.find(
        (each) => each.topic === topic && each.partition === partition && holds(each, next),
      );
      if (range === undefined) return false;
      next = range.to;
    }
    return true;
  }

  /** Whether some of the partition is told to be lost; without a topic, of either topic. */
  isOf(partition: number, topic?: string): boolean {
    const isRange = (each: LostRange): boolean =>
      each.partition === partition && (topic === undefined || each.topic === topic);
    const isTopic = topic === undefined ? this.#topics.size > 0 : this.#topics.has(topic);
    return this.#isAll || isTopic || this.#ranges.some(isRange);
  }
}

function holds({ from, to }: LostRange, offset: number): boolean {
  return from <= offset && offset < to;
}

interface Checked {
  readonly partition: number;
  readonly told: ToldLosses;
  readonly problems: Problems;
}

function checkContiguous(
  { startOffset, endOffset, records }: Contents,
  { topic, partition, told, problems }: Checked & { readonly topic: string },
): void {
  const where = `${topic}/${partition}`;
  let next = startOffset;
  for (const { offset } of records) {
    if (offset < next || !told.covers(topic, partition, next, offset)) {
      problems.add('gap', `${where}: ${offset} comes after ${next - 1}`);
    }
    next = offset + 1;
  }
  if (next > endOffset || !told.covers(topic, partition, next, endOffset)) {
    problems.add('gap', `${where}: ends at ${next}, and not at ${endOffset}`);
  }
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

/**
 * The copies of a partition that has lost orders or copies: none is there twice, and an order that
 * is there has its copy, unless copies were lost.
 */
function checkCopiesOfRest(
  { records: originals }: Contents,
  { records: copies }: Contents,
  { partition, told, problems }: Checked,
): void {
  const copied = new Set<string>();
  for (const copy of copies) {
    const name = nameOf(copy);
    if (copied.has(name)) problems.add('copies', `copies/${partition}: ${name} is there twice`);
    copied.add(name);
  }
  if (told.isOf(partition, 'copies')) return;
  const left = originals.filter((original) => !copied.has(nameOf(original))).length;
  if (left > 0) problems.add('copies', `copies/${partition}: ${left} records were not copied`);
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
