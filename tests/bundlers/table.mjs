// The README's table of bundlers: what the app of each case had to write.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const README = fileURLToPath(new URL('../../README.md', import.meta.url));
const SECTION = /(?<=<!-- bundlers -->\n)[^]*?(?=<!-- \/bundlers -->)/;

/**
 * The table in Markdown.
 * @param {readonly { name: string, version: string, writes: string }[]} rows
 */
export function tableOf(rows) {
  const lines = rows.map(({ name, version, writes }) => `| ${name} | ${version} | ${writes} |`);
  return ['| | version | what the app has to write for tablog |', '|---|---|---|', ...lines].join(
    '\n',
  );
}

/** Puts the table into the README. @param {string} table */
export function writeTable(table) {
  writeFileSync(README, withTable(readFileSync(README, 'utf8'), table));
}

/** Whether the README has just this table. @param {string} table */
export function hasTable(table) {
  const readme = readFileSync(README, 'utf8');
  return withTable(readme, table) === readme;
}

function withTable(readme, table) {
  if (!SECTION.test(readme)) throw new Error('README.md has no <!-- bundlers --> section');
  return readme.replace(SECTION, () => `${table}\n`);
}
