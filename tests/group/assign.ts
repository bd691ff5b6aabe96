import { ASSIGNORS } from '../../src/group/assignors.ts';
import type { MemberSubscription } from '../../src/group/assignor.ts';
import type { AssignorName } from '../../src/protocol/group.ts';
import { deepFreeze } from './deep-freeze.ts';
import { fromLayout, toLayout } from './layout.ts';
import type { Layout } from './layout.ts';

/** The topics that each member wants: `{ a: ['orders'] }`. */
export type Wishes = Readonly<Record<string, readonly string[]>>;

/** Members, of one letter each or named, that all want the same. */
export function all(members: string | readonly string[], ...topics: readonly string[]): Wishes {
  const names = typeof members === 'string' ? members.split('') : members;
  return Object.fromEntries(names.map((memberId) => [memberId, topics]));
}

/** What the assignor `name` makes of `before`. */
export function assign(
  name: AssignorName,
  wishes: Wishes,
  before: Layout,
  { hidden = [] }: { readonly hidden?: readonly string[] } = {},
): Layout {
  return assignTo(name, candidatesOf(wishes, hidden), before);
}

export function sticky(wishes: Wishes, before: Layout, hidden: readonly string[] = []): Layout {
  return assign('sticky', wishes, before, { hidden });
}

export function assignTo(
  name: AssignorName,
  candidates: readonly MemberSubscription[],
  before: Layout,
): Layout {
  const partitions = fromLayout(before);
  const members = ASSIGNORS[name](deepFreeze(candidates), deepFreeze(partitions));
  const places = partitions.map((place, i) => ({ ...place, member: members[i]! }));
  const after = toLayout(places, ({ member }) => member);
  return { ...before, ...after };
}

export function candidatesOf(wishes: Wishes, hidden: readonly string[] = []): MemberSubscription[] {
  return Object.entries(wishes).map(([memberId, topics]) => {
    const wanted = new Set(topics);
    return { memberId, hidden: hidden.includes(memberId), wants: (topic) => wanted.has(topic) };
  });
}
