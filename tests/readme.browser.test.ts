import { expect, it, vi } from 'vitest';
import readme from '../README.md?raw';
import example from './readme-example.ts?raw';

it('shows the example that runs here', () => {
  expect(readme).toContain(`\`\`\`ts\n${example}\`\`\``);
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
  expect(rest.slice(0, -1).flat().toSorted()).toEqual([1, 2]);
  expect(rest.at(-1)).toEqual([
    [expect.any(Number), expect.any(Number), expect.any(Number), expect.any(Number)],
  ]);
});
