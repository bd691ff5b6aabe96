import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { examplesOf, withExamples } from './examples.mjs';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const readme = read('README.md');

test('README shows the examples as they are run: `npm run readme` writes them', () => {
  expect(withExamples(readme, read)).toBe(readme);
});

test('README shows every example that there is', () => {
  const examples = readdirSync(new URL('./', import.meta.url))
    .filter((file) => !/test\.ts$|\.mjs$/.test(file))
    .map((file) => `tests/readme/${file}`);
  expect(examplesOf(readme).toSorted()).toEqual(examples.toSorted());
});
