import { describe, expect, test } from 'vitest';
import { OFFSET_OUT_OF_RANGE } from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import { ConsumerListeners } from '../../../src/client/fetch/consumer-events.ts';
import { resetOffset } from '../../../src/client/fetch/offset-reset.ts';
import { PartitionReader } from '../../../src/client/fetch/partition-reader.ts';
import { PartitionProgress } from '../../../src/client/message/partition-progress.ts';
import type { Committer } from '../../../src/client/message/partition-progress.ts';
import { asTopic } from '../../../src/client/topics/topic.ts';

const outOfRange = new TablogError(OFFSET_OUT_OF_RANGE, 'gone', {
  details: { offset: 2, startOffset: 5, endOffset: 9 },
});

/** Commits nothing. */
const idle: Committer = {
  order: 1,
  progressed() {},
  beforeSeek() {},
  commit: async () => {},
  commitExactly: async () => {},
  alone: (work) => work(),
};

/** A reader at offset 2, with one message in hand, whose reset waits for `found`. */
class Resetting {
  readonly progress: PartitionProgress;
  readonly reader: PartitionReader;
  readonly events: number[] = [];
  readonly over: Promise<void>;
  found!: (offset: number | undefined) => void;
  changes = 0;

  constructor() {
    const assigned = { topicId: 'id', partition: 0, assignmentEpoch: 1 };
    const member = { groupId: 'g', instance: 'i', memberId: 'a', memberEpoch: 1 };
    const progress = (this.progress = new PartitionProgress(member, assigned, 1, idle));
    const topic = asTopic('t');
    this.reader = new PartitionReader({ topic, topicId: 'id', partition: 0, offset: 2, progress });
    this.reader.state.enter('reading');
    progress.deliver(1, 2);
    const listeners = new ConsumerListeners();
    listeners.add('reset', ({ offset }) => void this.events.push(offset));
    this.over = resetOffset(this.reader, outOfRange, {
      to: 'latest',
      lookUp: () => new Promise((resolve) => (this.found = resolve)),
      listeners,
      onChange: () => void this.changes++,
    });
  }
}

describe('a reset', () => {
  test.each([
    [7, 7],
    [0, 5],
    [99, 9],
  ])('to %i goes to %i, within what there is, and says so', async (found, offset) => {
    const it = new Resetting();
    expect(it.reader.isReadable).toBe(false);
    it.found(found);
    await it.over;
    expect(it).toMatchObject({ events: [offset], changes: 1, progress: { inHand: 0 } });
    expect(it.reader).toMatchObject({ position: offset, isReadable: true });
  });

  test('whose place cannot be looked up moves nothing: the next fetch says it once more', async () => {
    const it = new Resetting();
    it.found(undefined);
    await it.over;
    expect(it).toMatchObject({ events: [], changes: 1, progress: { inHand: 1 } });
    expect(it.reader).toMatchObject({ position: 2, isReadable: true });
  });

  test('is ended by a seek, at once', async () => {
    const it = new Resetting();
    it.reader.seek(6);
    expect(it.reader).toMatchObject({ position: 6, isReadable: true });
    it.found(9);
    await it.over;
    expect(it.events).toEqual([]);
    expect(it.reader.position).toBe(6);
  });

  test('of a partition that is revoked meanwhile leaves what is in hand in hand', async () => {
    const it = new Resetting();
    it.progress.revoke();
    it.found(9);
    await it.over;
    expect(it).toMatchObject({ events: [], progress: { inHand: 1 } });
    expect(it.reader).toMatchObject({ position: 2, isReadable: false });
  });

  test('is asked for once at a time', async () => {
    const it = new Resetting();
    const options = { to: 'latest', listeners: new ConsumerListeners() } as const;
    const lookUp = (): Promise<number> => Promise.reject(new Error('looked up twice'));
    await resetOffset(it.reader, outOfRange, { ...options, lookUp, onChange: () => {} });
    it.found(7);
    await it.over;
    expect(it.reader.position).toBe(7);
  });
});
