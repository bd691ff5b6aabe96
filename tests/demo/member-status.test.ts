import { describe, expect, it } from 'vitest';
import { GroupState } from '../../demo/group-state.ts';
import { memberStatus } from '../../demo/member-status.ts';
import type { GroupDescription, GroupPartitionDescription } from '../../src/index.ts';

const MINE = 'siskin.1';
const OTHER = 'kestrel.2';

type Place = readonly [owner: string | null, target?: string | null];

/** A group in which partition i has the `places[i]`; what has only an owner stays with it. */
function group(generation: number, members: readonly string[], places: readonly Place[]) {
  const partitions = places.map(
    ([owner, target = owner], partition): GroupPartitionDescription => ({
      topic: 'github-events',
      partition,
      owner,
      target,
      committedOffset: 0,
      metadata: '',
      startOffset: 0,
      endOffset: 0,
      lag: 0,
    }),
  );
  const isStable = partitions.every(({ owner, target }) => owner === target);
  return {
    group: 'crew',
    state: isStable ? 'stable' : 'reconciling',
    generation,
    assignor: 'sticky',
    members: members.map((memberId) => ({
      memberId,
      clientId: memberId,
      visible: true,
      joinedAt: 0,
      topics: ['github-events'],
      patterns: [],
    })),
    partitions,
  } satisfies GroupDescription;
}

function status(looks: readonly GroupDescription[], partitions = 0): string {
  const state = new GroupState();
  for (const look of looks) state.describe(look);
  const member = { memberId: MINE, isJoined: true, isOut: false, partitions, processed: 0 };
  return memberStatus(state, member, false);
}

const IDLE = 'Idle: every partition has another reader.';
const settled = group(2, [OTHER, MINE], [[OTHER], [OTHER]]);

describe('a member without partitions', () => {
  it('is idle when nothing has moved from one look to the next', () => {
    expect(status([settled, settled])).toBe(IDLE);
  });

  it('is joining until the group knows it', () => {
    const without = group(1, [OTHER], [[OTHER], [OTHER]]);
    expect(status([])).toBe('Joining…');
    expect(status([without, without])).toBe('Joining…');
  });

  it('waits at the first look: what it tells is a moment old', () => {
    expect(status([settled])).toBe('Waiting for its partitions…');
  });

  it('waits while another has still to give up the partition that is meant for it', () => {
    const moving = group(2, [OTHER, MINE], [[OTHER], [OTHER, MINE]]);
    expect(status([moving, moving])).toBe('Waiting for its partitions…');
  });

  it('waits while a partition has no reader at all', () => {
    const free = group(2, [OTHER, MINE], [[OTHER], [null]]);
    expect(status([free, free])).toBe('Waiting for its partitions…');
  });

  it('waits when the group has given it a partition that it has not heard of', () => {
    const given = group(3, [OTHER, MINE], [[OTHER], [MINE]]);
    expect(status([given, given])).toBe('Waiting for its partitions…');
  });

  it('waits when partitions move between others, and is idle after that', () => {
    const moving = group(3, [OTHER, MINE, 'lynx.3'], [[OTHER], [OTHER, 'lynx.3']]);
    const moved = group(4, [OTHER, MINE, 'lynx.3'], [[OTHER], ['lynx.3']]);
    expect(status([settled, settled, moving])).toBe('Waiting for its partitions…');
    expect(status([settled, settled, moving, moved])).toBe('Waiting for its partitions…');
    expect(status([settled, settled, moving, moved, moved])).toBe(IDLE);
  });

  it('waits in a group of which no partition is known', () => {
    const empty = group(1, [MINE], []);
    expect(status([empty, empty])).toBe('Waiting for its partitions…');
  });

  it('is as new after the log was emptied', () => {
    const state = new GroupState();
    state.describe(settled);
    state.describe(settled);
    state.clear();
    expect(state.isSettled).toBe(false);
    expect([state.generation, state.partitions, state.readers]).toEqual([0, 0, []]);
  });
});

it('a member with partitions says how many, also before the group does', () => {
  expect(status([settled], 1)).toBe('Reads 1 of 2 partitions.');
  expect(status([], 1)).toBe('Reads 1 of 1 partitions.');
});
