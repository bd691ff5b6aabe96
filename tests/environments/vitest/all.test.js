import { expect, test } from 'vitest';
import { useAll } from './all.js';

test(`all of it works ${typeof document === 'undefined' ? 'in node' : navigator.userAgent}`, async () => {
  await expect(useAll()).resolves.toBeUndefined();
});
