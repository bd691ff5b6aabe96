import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { findCycle, findViolations, reachable, readImports } from './support/layers.ts';
import type { Rules } from './support/layers.ts';

/** Imports go down only. The files of `src` itself are what the package exports. */
const RULES: Rules = {
  layers: {
    base: {},
    platform: { imports: ['base'] },
    record: { imports: ['base'] },
    protocol: { imports: ['base', 'platform'], types: ['record'] },
    store: { imports: ['base', 'platform'] },
    log: { imports: ['base', 'record', 'store'] },
    group: { imports: ['base'], types: ['protocol'] },
    broker: { imports: ['base', 'platform', 'record', 'protocol', 'store', 'log', 'group'] },
    // No store, log, group or broker: that is what keeps a tab's bundle small.
    client: { imports: ['base', 'platform', 'record', 'protocol', 'new-worker.ts'] },
    // Beside the worker's file, so that in a bundle the literal that it has means the same.
    'new-worker.ts': { starts: ['tablog-worker.ts'] },
    'index.ts': { imports: ['base', 'client'], types: ['protocol', 'record'] },
    'tablog-worker.ts': { imports: ['broker', 'store'] },
    'broker.ts': { imports: ['base', 'broker', 'platform', 'protocol', 'store'] },
    // A user of the client's handles: it loads none of the client's code.
    connect: { imports: ['base', 'platform', 'record'], types: ['client'] },
    schema: { imports: ['base', 'record'] },
    'connect.ts': { imports: ['connect'] },
    'receiver.ts': { imports: ['connect'] },
    'nats.ts': { imports: ['connect'] },
    'mirror.ts': { imports: ['connect'] },
    'gateway.ts': { imports: ['connect'] },
    'durable-streams.ts': { imports: ['connect'] },
    'kafka.ts': { imports: ['connect'] },
    'sqlite.ts': { imports: ['store'] },
    'store-contract.ts': { imports: ['store'] },
    // All of the tab's code as well: a service worker has no import().
    'inline.ts': { imports: ['base', 'broker', 'client', 'platform', 'record', 'store'] },
  },
  rooms: {
    record: ['', 'compression'],
    platform: ['', 'locks'],
    protocol: ['', 'port'],
    store: ['', 'indexeddb', 'sqlite', 'contract'],
    connect: ['sink', '', 'http', 'durable-streams', 'nats', 'kafka', 'mirror', 'gateway'],
    schema: ['avro'],
    log: ['', 'cleaning', 'file'],
    broker: [
      'diagnostics',
      'rows',
      'waiting',
      'topics',
      'cleaner',
      'partitions',
      'memory',
      'groups',
      '',
    ],
    client: [
      'status',
      'connection',
      'topics',
      'accumulator',
      'message',
      'fetch',
      'group',
      'poll',
      'run',
      'consumer',
      'transaction',
      'producer',
      'admin',
      '',
      'table',
    ],
  },
  packages: ['comlink', 'fflate', 'idb', '@nats-io/jetstream', '@nats-io/nats-core'],
};

/** A folder with more files is two rooms; a file with more lines has two subjects. */
const MAX_FILES = 15;
const MAX_LINES = 320;

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

  test(`has at most ${MAX_FILES} files in a folder, and ${MAX_LINES} lines in a file`, () => {
    const files = new Map<string, number>();
    for (const folder of [...sources.keys()].map((file) => path.posix.dirname(file))) {
      files.set(folder, (files.get(folder) ?? 0) + 1);
    }
    expect([...files].filter(([, count]) => count > MAX_FILES)).toEqual([]);
    const long = [...sources].filter(([, text]) => text.trimEnd().split('\n').length > MAX_LINES);
    expect(long).toEqual([]);
  });

  test('has the tests of a folder in the folder of the same name', () => {
    const folders = new Set([...sources.keys()].map((file) => path.posix.dirname(file)));
    const layers = new Set([...folders].map((folder) => folder.split('/')[0]!));
    const tests = readdirSync(new URL('.', import.meta.url), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => path.posix.dirname(file.replaceAll('\\', '/')))
      .filter((folder) => layers.has(folder.split('/')[0]!));
    expect(tests.length).toBeGreaterThan(100);
    expect(tests.filter((folder) => !folders.has(folder))).toEqual([]);
  });

  const lazy = [
    'connection/worker-fault',
    'poll/dead-letter',
    'poll/decode-errors',
    'poll/stored-batches',
    'poll/serde-waits',
    'group/group-member',
    'admin/admin-calls',
    'producer/held-submissions',
    'admin/log-calls',
    'admin/log-file',
    'producer/batch-failure',
    'producer/raw-batches',
    'run/runner',
    'status/log-statuses',
    'transaction/transaction-manager',
    'connection/witness-writer',
  ].map((name) => `client/${name}.ts`);
  const codecs = ['codecs', 'gzip', 'lz4', 'snappy', 'zstd'];
  const later = new Set([...codecs.map((name) => `record/compression/${name}.ts`), ...lazy]);

  test('gives a tab no broker, and gzip, groups, run() and transactions beside it', () => {
    const atOnce = reachable(sources, 'index.ts', ['static']);
    expect([...atOnce].filter((file) => later.has(file))).toEqual([]);
    const ever = reachable(sources, 'index.ts', ['static', 'dynamic']);
    expect([...ever].filter((file) => /^(store|log|group|broker)\//.test(file))).toEqual([]);
  });

  test('gives whoever has the broker in its thread all of a tab, without import()', () => {
    const atOnce = reachable(sources, 'inline.ts', ['static']);
    const needless = 'client/connection/worker-fault.ts'; // nobody starts a worker there
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
    rooms: { low: ['', 'upper'] },
    packages: ['idb'],
  };
  const sound = {
    'low/upper/reader.ts': `import { open } from '../store.ts';`,
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
    ['low/new/a.ts', `export const a = 1;`, 'low/new/a.ts lies in no known room'],
    ['high/new/a.ts', `export const a = 1;`, 'high/new/a.ts lies in no known room'],
    [
      'low/a.ts',
      `import type { A } from './upper/reader.ts';`,
      'low/a.ts must not import low/upper/reader.ts (type)',
    ],
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
