import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { findCycle, findViolations, reachable, readImports } from './support/layers.ts';
import type { Rules } from './support/layers.ts';

/** Imports go down only. `index.ts`, `tablog-worker.ts` and `inline.ts` are what the package exports. */
const RULES: Rules = {
  layers: {
    base: {},
    record: { imports: ['base'] },
    protocol: { imports: ['base'], types: ['record'] },
    store: { imports: ['base'] },
    log: { imports: ['base', 'record', 'store'] },
    group: { imports: ['base'], types: ['protocol'] },
    broker: { imports: ['base', 'record', 'protocol', 'store', 'log', 'group'] },
    // No store, log, group or broker: that is what keeps a tab's bundle small.
    client: { imports: ['base', 'record', 'protocol', 'new-worker.ts'] },
    // Beside the worker's file, so that in a bundle the literal that it has means the same.
    'new-worker.ts': { starts: ['tablog-worker.ts'] },
    'index.ts': { imports: ['base', 'client'], types: ['protocol', 'record'] },
    'tablog-worker.ts': { imports: ['broker'] },
    // All of the tab's code as well: a service worker has no import().
    'inline.ts': { imports: ['base', 'broker', 'client', 'record', 'store'] },
  },
  packages: ['comlink', 'fflate', 'idb'],
};

const src = new URL('../src/', import.meta.url);
const sources = new Map(
  readdirSync(src, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => [file, readFileSync(new URL(file, src), 'utf8')]),
);

describe('src', () => {
  test('imports what the table of layers allows, and nothing else', () => {
    expect(findViolations(sources, RULES)).toEqual([]);
  });

  test('has no cycle of imports', () => {
    expect(findCycle(sources)).toBeUndefined();
  });

  const parts = [
    'dead-letter',
    'decode-errors',
    'group-member',
    'log-file',
    'runner',
    'transactor',
    'worker-fault',
  ].map((name) => `client/${name}.ts`);
  const codecs = ['codecs', 'gzip', 'lz4', 'snappy', 'zstd'].map((name) => `record/${name}.ts`);
  const later = new Set([...codecs, ...parts]);

  test('gives a tab no broker, and gzip, groups, run() and transactions beside it', () => {
    const atOnce = reachable(sources, 'index.ts', ['static']);
    expect([...atOnce].filter((file) => later.has(file))).toEqual([]);
    const ever = reachable(sources, 'index.ts', ['static', 'dynamic']);
    expect([...ever].filter((file) => /^(store|log|group|broker)\//.test(file))).toEqual([]);
  });

  test('gives whoever has the broker in its thread all of a tab, without import()', () => {
    const atOnce = reachable(sources, 'inline.ts', ['static']);
    const needless = 'client/worker-fault.ts'; // nobody starts a worker there
    const missing = [...later].filter((file) => !atOnce.has(file) && file !== needless);
    expect(missing).toEqual([]);
  });
});

describe('the reader of imports', () => {
  test.for([
    [`import { a } from './a.ts'`, 'static', './a.ts'],
    [`import type { A } from './a.ts'`, 'type', './a.ts'],
    // Compiles to `import {} from './a.js'`, which loads it.
    [`import { type A } from './a.ts'`, 'static', './a.ts'],
    [`import './a.ts'`, 'static', './a.ts'],
    [`import a = require('./a.ts')`, 'static', './a.ts'],
    [`export * from './a.ts'`, 'static', './a.ts'],
    [`export { a } from './a.ts'`, 'static', './a.ts'],
    [`export type { A } from './a.ts'`, 'type', './a.ts'],
    [`type A = import('./a.ts').A`, 'type', './a.ts'],
    [`const f = async () => (await import('./a.ts')).a`, 'dynamic', './a.ts'],
    ['const f = (name: string) => import(`./${name}.ts`)', 'dynamic', undefined],
    [`new Worker(new URL('./a.js', import.meta.url), { type: 'module' })`, 'url', './a.js'],
  ] as const)('%s', ([source, kind, specifier]) => {
    expect(readImports('sample.ts', source)).toEqual([{ kind, specifier }]);
  });

  test.for([
    `// import { a } from './a.ts'`,
    `const text = "import { a } from './a.ts'"`,
    `export const a = 1`,
    `new URL('./a.ts', location.href)`,
  ])('finds none in: %s', (source) => {
    expect(readImports('sample.ts', source)).toEqual([]);
  });
});

describe('the checker', () => {
  const rules: Rules = {
    layers: {
      low: {},
      side: { types: ['low'] },
      high: { imports: ['low'], starts: ['entry.ts'] },
      'entry.ts': { imports: ['low'] },
    },
    packages: ['idb'],
  };
  const sound = {
    'low/store.ts': `import { openDB } from 'idb'; export const open = openDB;`,
    'low/user.ts': `import type { IDBPDatabase } from 'idb'; import { open } from './store.ts';`,
    'side/side.ts': `import type { open } from '../low/store.ts';`,
    'high/high.ts': `import { open } from '../low/store.ts'; new URL('../entry.js', import.meta.url);`,
    'entry.ts': `import './low/user.ts';`,
  };
  const violations = (changed: Record<string, string>): string[] =>
    findViolations(new Map(Object.entries({ ...sound, ...changed })), rules);

  test('passes what keeps the rules', () => {
    expect(violations({})).toEqual([]);
  });

  test.for([
    ['low/a.ts', `import '../high/high.ts';`, 'low/a.ts must not import high/high.ts (static)'],
    [
      'low/a.ts',
      `import type { A } from '../high/high.ts';`,
      'low/a.ts must not import high/high.ts (type)',
    ],
    [
      'low/a.ts',
      `export const a = () => import('../high/high.ts');`,
      'low/a.ts must not import high/high.ts (dynamic)',
    ],
    [
      'side/a.ts',
      `import { type open } from '../low/store.ts';`,
      'side/a.ts must not import low/store.ts (static)',
    ],
    [
      'low/a.ts',
      `new Worker(new URL('../entry.js', import.meta.url));`,
      'low/a.ts must not import entry.ts (url)',
    ],
    ['high/a.ts', `import '../entry.ts';`, 'high/a.ts must not import entry.ts (static)'],
    ['high/a.ts', `import './gone.ts';`, 'high/a.ts imports ./gone.ts, which is not there'],
    [
      'high/a.ts',
      'export const a = (b: string) => import(b);',
      'high/a.ts imports what it computes',
    ],
    ['high/a.ts', `import 'left-pad';`, 'high/a.ts must not import the package left-pad'],
    [
      'high/a.ts',
      `import type { Stats } from 'node:fs';`,
      'high/a.ts must not import the package node:fs',
    ],
    [
      'high/a.ts',
      `import { openDB } from 'idb';`,
      'the package idb must be imported in one file, and is in low/store.ts and high/a.ts',
    ],
    [
      'low/store.ts',
      `export const open = 1;`,
      'the package idb must be imported in one file, and is in no file',
    ],
    ['new/a.ts', `export const a = 1;`, 'new/a.ts lies in no known layer'],
  ] as const)('in %s finds: %s', ([file, source, violation]) => {
    expect(violations({ [file]: source })).toEqual([violation]);
  });

  test('finds a cycle, of types too', () => {
    const cycle = new Map([
      ['a.ts', `import './b.ts';`],
      ['b.ts', `import type { C } from './c.ts';`],
      ['c.ts', `export const b = () => import('./b.ts');`],
    ]);
    expect(findCycle(cycle)).toBe('b.ts > c.ts > b.ts');
    cycle.set('c.ts', 'export type C = 1;');
    expect(findCycle(cycle)).toBeUndefined();
  });
});
