import { expect, test, vi } from 'vitest';
import { randomId, randomProducerId } from '../../src/platform/random-id.ts';

const UUID_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('random ids are UUIDs of version 4, and differ', () => {
  const ids = Array.from({ length: 1000 }, randomId);
  for (const id of ids) expect(id).toMatch(UUID_4);
  expect(new Set(ids).size).toBe(ids.length);
});

test('ids are random where there is no crypto, too', () => {
  vi.stubGlobal('crypto', undefined);
  try {
    expect(randomId()).toMatch(UUID_4);
    expect(new Set(Array.from({ length: 100 }, randomId)).size).toBe(100);
    expect(Number.isSafeInteger(randomProducerId())).toBe(true);
  } finally {
    vi.unstubAllGlobals();
  }
});
