import { describe, expect, test } from 'vitest';
import { isGroup } from '../../src/broker/rows/group-row.ts';
import { isTopic } from '../../src/broker/rows/topic-row.ts';
import { newGroup } from '../../src/group/group-state.ts';
import { isHead, newHead } from '../../src/log/head.ts';
import { DEFAULT_TOPIC_CONFIG } from '../../src/protocol/topic.ts';
import { checkFormat, logOf, newLogRow } from '../../src/store/schema.ts';
import { hasShape, segmentBytes } from '../../src/store/stored-row.ts';

interface Example {
  readonly name: string;
  readonly part: { readonly size: number };
  readonly items: readonly { readonly id: string }[];
}

const isExample = (row: unknown): boolean =>
  hasShape<Example>(row, { name: 'string', part: { size: 'integer' }, items: [{ id: 'string' }] });

test('a shape reaches into objects and arrays', () => {
  const row: Example = { name: 'n', part: { size: 1 }, items: [{ id: 'a' }] };
  expect(isExample(row)).toBe(true);
  expect(isExample({ ...row, items: [] })).toBe(true);
  expect(isExample({ ...row, part: { size: 0.5 } })).toBe(false);
  expect(isExample({ ...row, part: null })).toBe(false);
  expect(isExample({ ...row, items: [{ id: 'a' }, null] })).toBe(false);
  expect(isExample({ ...row, items: { length: 1 } })).toBe(false);
});

describe('a row that is damaged within', () => {
  const topic = { name: 't', id: 'i', stores: [0], config: DEFAULT_TOPIC_CONFIG, createdAt: 0 };

  test.each([
    ['a topic without its configuration', isTopic, topic, { config: {} }],
    ['a topic with a store that is none', isTopic, topic, { stores: ['x'] }],
    ['a group with a member that is none', isGroup, newGroup('g'), { members: [null] }],
    ['a group with a partition that is none', isGroup, newGroup('g'), { partitions: [{}] }],
    ['a head without its times', isHead, newHead('t', 0), { timeIndex: {} }],
    ['a head without its producers', isHead, newHead('t', 0), { producers: {} }],
    ['a head without its compaction', isHead, newHead('t', 0), { compaction: {} }],
  ])('%s', (_, isWhole, whole, damage) => {
    expect(isWhole(whole)).toBe(true);
    expect(isWhole({ ...whole, ...damage })).toBe(false);
  });
});

describe('the row of the log', () => {
  const row = newLogRow(0);
  const corrupt = expect.objectContaining({
    code: 'LOG_CORRUPT',
    details: { store: 'meta', key: 'log' },
    next: expect.stringContaining('deleteLog()'),
  });

  test.each([[undefined], [null], ['x'], [{}], [7], [{ ...row, logId: 7 }]])(
    'is LOG_CORRUPT, and no newer format, as %j',
    (damaged) => {
      expect(() => checkFormat('l', damaged)).toThrow(corrupt);
      expect(() => logOf(damaged)).toThrow(corrupt);
    },
  );

  test('of a newer format is FORMAT_TOO_NEW, whatever else it has', () => {
    expect(() => checkFormat('l', { format: 2 })).toThrow('has format 2');
    expect(() => checkFormat('l', row)).not.toThrow();
  });
});

test('a segment that is no buffer has no bytes', () => {
  const buffer = new ArrayBuffer(3);
  expect(segmentBytes(buffer)).toBe(buffer);
  for (const value of [null, undefined, 'abc', 7, [1], new Uint8Array(3)]) {
    expect(segmentBytes(value).byteLength).toBe(0);
  }
});
