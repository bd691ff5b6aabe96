import fc from 'fast-check';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { isHint, openHintChannel } from '../../src/protocol/hint.ts';
import type { HintChannel } from '../../src/protocol/hint.ts';

const appended = (...partitions: unknown[]): unknown => ({ kind: 'appended', partitions });
const here = { topicId: 't', partition: 0, endOffset: 1 };

describe('isHint', () => {
  test.each([
    [{ kind: 'topics' }],
    [{ kind: 'group', groupId: 'g' }],
    [{ kind: 'probe', groupId: 'g' }],
    [{ kind: 'alive', groupId: 'g', memberId: 'm' }],
    [appended()],
    [appended(here)],
    [appended(here, { topicId: '', partition: 2 ** 53 - 1, endOffset: -1 })],
    [{ ...(appended(here) as object), more: 1 }],
  ])('takes %j', (hint) => {
    expect(isHint(hint)).toBe(true);
  });

  test.each([
    [null],
    [undefined],
    ['topics'],
    [[]],
    [{}],
    [{ kind: 'Topics' }],
    [{ kind: 'appended' }],
    [{ kind: 'group' }],
    [{ kind: 'probe', groupId: 1 }],
    [{ kind: 'alive', groupId: 'g' }],
    [{ kind: 'appended', partitions: {} }],
    [{ kind: 'appended', partitions: 'here' }],
    [appended(null)],
    [appended(here, 'there')],
    [appended({ ...here, topicId: 7 })],
    [appended({ ...here, partition: '0' })],
    [appended({ ...here, partition: 0.5 })],
    [appended({ ...here, endOffset: Number.NaN })],
    [appended({ ...here, endOffset: Infinity })],
    [appended({ ...here, endOffset: 2 ** 53 })],
  ])('refuses %j', (data) => {
    expect(isHint(data)).toBe(false);
  });

  test('refuses what is no JSON, and more partitions than anybody has', () => {
    expect(isHint(appended({ ...here, endOffset: 1n }))).toBe(false);
    expect(isHint(appended(...Array.from({ length: 10_001 }, () => here)))).toBe(false);
  });

  const anyHintLike = fc.record(
    {
      kind: fc.constantFrom('appended', 'topics', 'group', 'probe', 'alive', 'other', 1),
      groupId: fc.oneof(fc.string(), fc.anything()),
      memberId: fc.oneof(fc.string(), fc.anything()),
      partitions: fc.oneof(
        fc.array(
          fc.record(
            {
              topicId: fc.oneof(fc.string(), fc.anything()),
              partition: fc.oneof(fc.integer(), fc.double(), fc.anything()),
              endOffset: fc.oneof(fc.maxSafeInteger(), fc.anything()),
            },
            { requiredKeys: [] },
          ),
        ),
        fc.anything(),
      ),
    },
    { requiredKeys: [] },
  );

  test('never throws, and what it takes is well formed', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), anyHintLike), (data) => {
        if (!isHint(data)) return;
        expect(['appended', 'topics', 'group', 'probe', 'alive']).toContain(data.kind);
        if (data.kind === 'group' || data.kind === 'alive') {
          expect(typeof data.groupId).toBe('string');
        }
        if (data.kind !== 'appended') return;
        for (const { topicId, partition, endOffset } of data.partitions) {
          expect(typeof topicId).toBe('string');
          expect(Number.isSafeInteger(partition) && Number.isSafeInteger(endOffset)).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a hint channel', () => {
  afterEach(() => vi.unstubAllGlobals());

  const open = (log: string, onData: (data: unknown) => void = () => {}): HintChannel => {
    const channel = openHintChannel(log, onData);
    onTestFinished(() => channel.close());
    return channel;
  };

  test('brings hints to the others of its log, and neither to itself nor to other logs', async () => {
    const log = crypto.randomUUID();
    const own = vi.fn();
    const elsewhere = vi.fn();
    const sender = open(log, own);
    open(`${log}-other`, elsewhere);
    const heard = await new Promise<unknown>((resolve) => {
      open(log, resolve);
      sender.post({ kind: 'appended', partitions: [here] });
    });
    expect(heard).toEqual({ kind: 'appended', partitions: [here] });
    expect(own).not.toHaveBeenCalled();
    expect(elsewhere).not.toHaveBeenCalled();
  });

  test('is silent where there is no BroadcastChannel', () => {
    vi.stubGlobal('BroadcastChannel', undefined);
    const heard = vi.fn();
    const channels = [openHintChannel('any', heard), openHintChannel('any', heard)];
    for (const channel of channels) channel.post({ kind: 'topics' });
    for (const channel of channels) channel.close();
    expect(heard).not.toHaveBeenCalled();
  });
});
