/**
 * Who has the partitions of each topic, in their order: `{ orders: 'a b -' }` says that `a` has
 * orders/0 and `b` orders/1, and that nobody has orders/2.
 */
export type Layout = Readonly<Record<string, string>>;

interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** One topic's partitions that nobody has. */
export function free(partitions: number): string {
  return Array.from({ length: partitions }, () => '-').join(' ');
}

export function toLayout<T extends Place>(
  places: readonly T[],
  memberOf: (place: T) => string | null,
): Layout {
  const topics = new Map<string, string[]>();
  for (const place of places) {
    const row = topics.get(place.topic) ?? [];
    row[place.partition] = memberOf(place) ?? '-';
    topics.set(place.topic, row);
  }
  return Object.fromEntries([...topics].map(([topic, row]) => [topic, row.join(' ')]));
}

/** By topic name and number, as an assignor gets them. */
export function fromLayout(layout: Layout): (Place & { readonly owner: string | null })[] {
  return Object.entries(layout)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([topic, row]) =>
      row
        .split(' ')
        .filter((name) => name !== '')
        .map((name, partition) => ({ topic, partition, owner: name === '-' ? null : name })),
    );
}

/** What it takes to get from one layout to the other: how many partitions change hands. */
export function movedBetween(before: Layout, after: Layout): number {
  const was = fromLayout(before);
  const is = fromLayout(after);
  return was.filter(({ owner }, i) => owner !== null && owner !== is[i]!.owner).length;
}

/** How many partitions each of `members` has. */
export function loadsOf(layout: Layout, members: readonly string[]): number[] {
  const places = fromLayout(layout);
  return members.map((id) => places.filter(({ owner }) => owner === id).length);
}

/** Sorts loads, the fullest first. */
export function descending(a: number, b: number): number {
  return b - a;
}
