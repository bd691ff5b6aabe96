import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('../', import.meta.url);
const page = readFileSync(new URL('ARCHITECTURE.md', root), 'utf8');

/** Files as the page names them: from `src`, or from the repository for what lies in `tests`. */
const files = [...page.matchAll(/`([\w./-]+\.ts)`/g)].map(([, file]) => file!);

test('ARCHITECTURE.md names files that there are', () => {
  expect(files.length).toBeGreaterThan(50);
  const missing = files.filter(
    (file) => !existsSync(new URL(file.startsWith('tests/') ? file : `src/${file}`, root)),
  );
  expect(missing).toEqual([]);
});

test('ARCHITECTURE.md names every room', () => {
  const layers = readFileSync(new URL('tests/layers.test.ts', root), 'utf8');
  const rooms = [...layers.matchAll(/^ {4}(broker|client): \[([^\]]*)\]/gm)].flatMap(([, , list]) =>
    [...list!.matchAll(/'(\w+)'/g)].map(([, room]) => room!),
  );
  expect(rooms.length).toBeGreaterThan(15);
  expect(rooms.filter((room) => !page.includes(`\`${room}\``))).toEqual([]);
});
