import { afterEach, expect, test, vi } from 'vitest';
import { randomId } from '../../src/base/random-id.ts';

const UUID_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

afterEach(() => vi.unstubAllGlobals());

test.each(['secure', 'insecure'])(
  'a random id is a UUID of version 4 in a context that is %s',
  (kind) => {
    if (kind === 'insecure') {
      const { crypto } = globalThis;
      vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) });
    }
    const ids = Array.from({ length: 1000 }, randomId);
    for (const id of ids) expect(id).toMatch(UUID_4);
    expect(new Set(ids).size).toBe(ids.length);
  },
);
