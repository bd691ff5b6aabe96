/// <reference types="vite/client" />
import { expect, it, vi } from 'vitest';

/** The texts of files, by their paths from here. */
const texts: Readonly<Record<string, string>> = import.meta.glob(
  ['../README.md', './readme-example.ts'],
  { query: '?raw', import: 'default', eager: true },
);

it('shows the example that runs here', () => {
  const example = texts['./readme-example.ts'];
  expect(example).toContain('openLog');
  expect(texts['../README.md']).toContain(`\`\`\`ts\n${example}\`\`\``);
});

it('runs as it is shown, with the worker that a user gets', async () => {
  const printed: unknown[][] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((...values) => void printed.push(values));
  try {
    await import('./readme-example.ts');
  } finally {
    log.mockRestore();
  }
  const [placed, ...rest] = printed;
  expect(placed).toEqual([expect.any(Number), 0]);
  expect(new Set(rest.slice(0, -1).flat())).toEqual(new Set([1, 2]));
  expect(rest.at(-1)).toEqual([[0, 0, 0, 0]]);
});
