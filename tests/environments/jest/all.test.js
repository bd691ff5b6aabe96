import { useAll } from './all.js';

test('all of it works', async () => {
  await expect(useAll()).resolves.toBeUndefined();
});
