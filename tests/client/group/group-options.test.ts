import { describe, expect, test } from 'vitest';
import type { ConsumerOptions } from '../../../src/index.ts';
import { joined, openTabs } from '../../support/group-fixture.ts';

/** Whatever a caller without types may pass. */
const wrong = (value: unknown): never => value as never;

const name = '1 to 200 of the characters';
const group = 'g';

/** `said`: what the message must contain, the value as the last. */
const MISTAKES: Readonly<Record<string, [Partial<ConsumerOptions>, ...said: string[]]>> = {
  'an empty group': [{ group: '' }, 'a group name', name, '""'],
  'a group with a blank': [{ group: 'my group' }, name, '"my group"'],
  'a group of 201 characters': [{ group: 'g'.repeat(201) }, name, '"ggg'],
  'a group that is no text': [{ group: wrong(5) }, name, '5'],
  'null as group': [{ group: wrong(null) }, name, 'null'],
  'an empty memberId': [{ group, memberId: '' }, 'a member name', name, '""'],
  'a memberId of 201 characters': [{ group, memberId: 'm'.repeat(201) }, name, '"mmm'],
  'an assignor that does not exist': [
    { group, assignor: wrong('cooperative') },
    'assignor',
    '"sticky", "range", "roundRobin"',
    '"cooperative"',
  ],
  'another commit': [{ group, commit: wrong('auto') }, 'commit', '"manual"', '"auto"'],
  'null as commit': [{ group, commit: wrong(null) }, 'commit', 'null'],
  'a negative everyMs': [{ group, commit: { everyMs: -1 } }, 'commit.everyMs', '-1'],
  'no everyMs': [{ group, commit: wrong({}) }, 'commit.everyMs', 'undefined'],
  'a session of 99 ms': [{ group, sessionTimeoutMs: 99 }, 'sessionTimeoutMs', '100', '99'],
  'a session for ever': [{ group, sessionTimeoutMs: Infinity }, 'sessionTimeoutMs', 'Infinity'],
  'a negative rebalanceTimeoutMs': [{ group, rebalanceTimeoutMs: -1 }, 'rebalanceTimeoutMs', '-1'],
  'another placement': [{ group, placement: wrong('hidden') }, 'placement', '"any"', '"hidden"'],
  'mustExist that is no boolean': [{ group, mustExist: wrong('yes') }, 'mustExist', '"yes"'],
  'a memberId without a group': [{ memberId: 'm' }, 'memberId needs a group'],
  'commit without a group': [{ commit: 'manual' }, 'commit needs a group'],
  'an assignor without a group': [{ assignor: 'range' }, 'assignor needs a group'],
  'a session without a group': [{ sessionTimeoutMs: 1000 }, 'sessionTimeoutMs needs a group'],
  'a rebalance without a group': [{ rebalanceTimeoutMs: 1 }, 'rebalanceTimeoutMs needs a group'],
  'a placement without a group': [{ placement: 'any' }, 'placement needs a group'],
};

test.each(Object.entries(MISTAKES))('%s is refused at the call', async (_, [options, ...said]) => {
  const [log] = await openTabs(1, 't');
  let error: unknown;
  try {
    log!.consumer({ topics: ['t'], ...options });
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toSatisfy((e) => e instanceof TypeError || e instanceof RangeError);
  for (const part of said) expect((error as Error).message).toContain(part);
  expect(await log!.admin.listGroups()).toEqual([]);
});

describe('a memberId', () => {
  test('that a consumer of this log has is MEMBER_EXISTS, thrown at the call', async () => {
    const [log] = await openTabs(1, 't');
    const a = await joined(log!, { memberId: 'm' });
    const again = (): unknown => log!.consumer({ group, topics: ['t'], memberId: 'm' });
    expect(again).toThrow(
      expect.objectContaining({ code: 'MEMBER_EXISTS', details: { group, member: 'm' } }),
    );
    expect(a.owns).toEqual(['t/0']);
    expect((await joined(log!, { group: 'h', memberId: 'm' })).owns).toEqual(['t/0']);
    await a.consumer.close();
    expect((await joined(log!, { memberId: 'm' })).owns).toEqual(['t/0']);
  });
});

describe('at the border of what is allowed', () => {
  test.each<[string, Partial<ConsumerOptions>]>([
    ['names of 200 characters', { group: 'g'.repeat(200), memberId: 'm'.repeat(200) }],
    ['the shortest session', { sessionTimeoutMs: 100 }],
    ['a rebalance at once', { rebalanceTimeoutMs: 0 }],
    ['a commit at once', { commit: { everyMs: 0 } }],
    ['undefined, which is the default', { memberId: undefined, commit: undefined } as object],
  ])('%s', async (_, options) => {
    const [log] = await openTabs(1, 't');
    expect((await joined(log!, options)).owns).toEqual(['t/0']);
  });
});

describe('commit() and on()', () => {
  test('refuse what they do not take', async () => {
    const [log] = await openTabs(1, 't');
    const { consumer } = await joined(log!, { commit: 'manual' });
    const where = { topic: 't', partition: 0 };
    const cases: [unknown, string][] = [
      [where, 'array'],
      [[{ ...where, offset: -1 }], 'at least 0'],
      [[{ ...where, offset: 0.5 }], 'integer'],
      [[where], 'integer'],
      [[{ ...where, offset: 0, metadata: 5 }], 'string'],
      [[{ topic: 'u', partition: 0, offset: 0 }], "'u'"],
      [[{ topic: 't', partition: -1, offset: 0 }], 'partition'],
    ];
    for (const [offsets, said] of cases) {
      await expect(consumer.commit(wrong(offsets))).rejects.toThrow(said);
    }
    expect(() => consumer.on(wrong('revoke'), () => {})).toThrow('"revoked"');
    expect(() => consumer.on('revoked', wrong(undefined))).toThrow('function');
  });

  test('admin refuses what is no name, and what is no place', async () => {
    const [log] = await openTabs(1, 't');
    const { admin } = log!;
    await expect(admin.describeGroups([''])).rejects.toThrow(name);
    await expect(admin.listGroupOffsets(wrong(5))).rejects.toThrow(name);
    await expect(admin.deleteGroups(wrong('g'))).rejects.toThrow('array');
    await expect(admin.deleteGroups(['g', ''])).rejects.toThrow(name);
    await expect(admin.resetGroupOffsets('', [{ topic: 't', to: 0 }])).rejects.toThrow(name);
    await expect(admin.resetGroupOffsets('g', [{ topic: 't', to: wrong('end') }])).rejects.toThrow(
      "'latest'",
    );
    await expect(admin.resetGroupOffsets('g', [{ topic: 't', to: -1 }])).rejects.toThrow(
      'at least 0',
    );
    await expect(
      admin.resetGroupOffsets('g', [{ topic: 't', to: 0 }], wrong({ forced: true })),
    ).rejects.toThrow('forced');
    await expect(
      admin.resetGroupOffsets('g', [{ topic: 't', to: 0 }], { force: wrong(1) }),
    ).rejects.toThrow('force');
    await expect(
      admin.resetGroupOffsets('g', wrong({ topic: 't', partition: 1, to: 0 })),
    ).rejects.toThrow('array');
    await expect(
      admin.resetGroupOffsets('g', [{ topic: 't', partition: -1, to: 0 }]),
    ).rejects.toThrow('at least');
  });
});
