import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { checkHistory, explain } from './history.ts';
import { walk } from './walk.ts';

/** Steps of each walk; what drains the log comes on top. */
const STEPS = Number(process.env['TABLOG_STEPS'] ?? 60);

/** Replays one walk. */
const SEED = process.env['TABLOG_SEED'];

/** How many walks; the first of them have the seeds 1, 2, and so on. */
const SEEDS = Number(process.env['TABLOG_SEEDS'] ?? 100);

// Parts that are loaded when they are needed: with them at hand nothing takes time but what is told to.
beforeAll(async () => {
  await import('../../src/client/group-member.ts');
  await import('../../src/client/runner.ts');
});

afterEach(() => {
  vi.unstubAllGlobals();
});

test(
  'whatever happens to its tabs, a group keeps its promises',
  { timeout: 3_600_000 },
  async () => {
    vi.stubGlobal('navigator', undefined); // newer Nodes have locks
    const seeds =
      SEED === undefined ? Array.from({ length: SEEDS }, (_, i) => i + 1) : [Number(SEED)];
    for (const seed of seeds) {
      const { history, wrong, mode } = await walk(seed, STEPS);
      const violations = checkHistory(history);
      const told = [...wrong, explain(history, violations)].filter(Boolean).join('\n');
      expect(told, `TABLOG_SEED=${seed} (${mode})`).toBe('');
    }
  },
);
