/// <reference types="vite/client" />
import { describe, expect, test, vi } from 'vitest';

/** The texts of files, by their paths from here. */
const texts: Readonly<Record<string, string>> = import.meta.glob(
  ['../README.md', './readme-example.ts', './readme-upkeep-example.ts'],
  { query: '?raw', import: 'default', eager: true },
);

test.each(['./readme-example.ts', './readme-upkeep-example.ts'])(
  'shows the example that runs here: %s',
  (path) => {
    const example = texts[path];
    expect(example).toContain('openLog');
    expect(texts['../README.md']).toContain(`\`\`\`ts\n${example}\`\`\``);
  },
);

describe('runs as it is shown, with the worker that a user gets', () => {
  test('what a log is used for', async () => {
    const [placed, ...rest] = await printedBy(() => import('./readme-example.ts'));
    expect(placed).toEqual([expect.any(Number), 0]);
    expect(new Set(rest.slice(0, -1).flat())).toEqual(new Set([1, 2]));
    expect(rest.at(-1)).toEqual([[0, 0, 0, 0]]);
  });

  test('exactly once, retention, and log files', async () => {
    const printed = await printedBy(() => import('./readme-upkeep-example.ts'));
    expect(printed).toEqual([[0], [1], [1, 1]]);
  });
});

/** What an example prints as it runs. */
async function printedBy(run: () => Promise<unknown>): Promise<unknown[][]> {
  const printed: unknown[][] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((...values) => void printed.push(values));
  try {
    await run();
  } finally {
    log.mockRestore();
  }
  return printed;
}
