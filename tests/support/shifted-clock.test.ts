import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { clockEnv } from './shifted-clock.ts';

it.each([0, 86_400_000, -3_600_000])('a process of Node whose clock is %i ms ahead', (aheadMs) => {
  const before = Date.now();
  const script =
    'console.log(JSON.stringify([Date.now(), +new Date(), +new Date(5), Date.UTC(1970)]))';
  const env = { ...process.env, ...clockEnv(aheadMs) };
  const told = execFileSync(process.execPath, ['-e', script], { env, encoding: 'utf8' });
  const [now, date, five, epoch] = JSON.parse(told) as [number, number, number, number];
  for (const at of [now, date]) {
    expect(at).toBeGreaterThanOrEqual(before + aheadMs);
    expect(at).toBeLessThanOrEqual(Date.now() + aheadMs);
  }
  expect([five, epoch]).toEqual([5, 0]);
});
