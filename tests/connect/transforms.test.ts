import { expect, test } from 'vitest';
import {
  dropFields,
  filterRecords,
  mapValue,
  maskFields,
  renameFields,
  route,
  timestampRouter,
} from '../../src/connect.ts';
import type { SinkRecord, Transform } from '../../src/connect.ts';
import { chain } from '../../src/connect/sink/transforms.ts';

const value = { name: 'Ada', age: 36, tags: ['a'], none: null };
const record: SinkRecord = {
  id: 'a-0-7',
  topic: 'people',
  offset: 7,
  timestamp: Date.UTC(2026, 10, 30, 23, 59),
  key: 'k',
  value,
  headers: [],
};

test.each<[string, Transform, Partial<SinkRecord> | undefined]>([
  [
    'mask fields',
    maskFields(['name', 'age', 'tags', 'none']),
    { value: { name: '', age: 0, tags: [], none: null } },
  ],
  ['mask fields with a text', maskFields(['name'], '***'), { value: { ...value, name: '***' } }],
  [
    'rename fields',
    renameFields({ name: 'fullName' }),
    { value: { fullName: 'Ada', age: 36, tags: ['a'], none: null } },
  ],
  ['drop fields', dropFields(['age', 'tags', 'none']), { value: { name: 'Ada' } }],
  ['map', mapValue((of: typeof value) => of.age), { value: 36 }],
  ['filter', filterRecords(({ offset }) => offset > 7), undefined],
  ['route', route(({ topic }) => `eu.${topic}`), { topic: 'eu.people' }],
  ['route by time', timestampRouter(), { topic: 'people-20261130' }],
])('%s', (_, transform, changed) => {
  expect(chain([transform])(record)).toEqual(
    changed === undefined ? [] : [{ ...record, ...changed }],
  );
});

test('leave tombstones and values that are no objects as they are', () => {
  for (const plain of [null, 'text', 5, [1]]) {
    const each = { ...record, value: plain };
    expect(chain([maskFields(['name']), renameFields({ name: 'x' })])(each)).toEqual([each]);
  }
});

test('follow each other, and make several records of one', () => {
  const twice: Transform = (each) => [each, { ...each, topic: 'copy' }];
  const steps = chain([twice, filterRecords(({ topic }) => topic === 'copy'), twice]);
  expect(steps(record).map(({ topic }) => topic)).toEqual(['copy', 'copy']);
});
