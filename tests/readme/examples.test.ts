import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { examplesOf, withExamples } from './examples.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

test('README shows the examples as they are run: `npm run readme` writes them', () => {
  const readme = read('README.md');
  const shown = withExamples(readme, read);
  if (process.env['TABLOG_README'] === 'write') writeFileSync(new URL('README.md', root), shown);
  else expect(shown).toBe(readme);
});

test('README shows every example that there is', () => {
  const notExamples = /\.test\.tsx?$|^examples\.ts$|\.d\.ts$/;
  const examples = readdirSync(new URL('./', import.meta.url))
    .filter((file) => !notExamples.test(file))
    .map((file) => `tests/readme/${file}`);
  const shown = examplesOf(read('README.md')).filter((path) => path.startsWith('tests/readme/'));
  expect(shown.toSorted()).toEqual(examples.toSorted());
});
