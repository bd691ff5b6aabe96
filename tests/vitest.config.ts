import { svelte } from '@sveltejs/vite-plugin-svelte';
import vue from '@vitejs/plugin-vue';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { browserName, browserProvider } from './engines/browser-provider.ts';
import { selectedEngine } from './engines/engines.ts';
import { lookForBrowser } from './support/find-browser.mjs';
import { storeOfTests } from './support/sqlite-plugin.ts';

const executablePath = await lookForBrowser();
// Tests that drive a browser of their own look here first: one look serves them all.
if (executablePath !== undefined) process.env['TABLOG_BROWSER'] = executablePath;
const engine = await selectedEngine();

/** On disk, as users' databases are: a context without a profile has them in memory. */
const profile = join(tmpdir(), `tablog-profile-${process.pid}`);
mkdirSync(profile, { recursive: true });
process.once('exit', () => rmSync(profile, { recursive: true, force: true }));

const BROWSER_TESTS = 'tests/**/*.browser.test.{ts,tsx}';
const END_TO_END_TESTS = ['tests/e2e/**/*.test.ts', 'tests/package/**/*.test.ts'];
/** The fault matrix and the soak, each of which has a script of its own. */
const MATRIX = ['matrix', 'soak'].map((name) => `tests/matrix/${name}.test.ts`);
/** What needs a broker of Kafka. */
const KAFKA = 'tests/kafka/**/*.test.ts';
/** Tests that hold a real deadline against the clock. */
const TIMED_TESTS = ['memory-topics', 'worker-faults'].map((name) => `tests/e2e/${name}.test.ts`);

/** What the package exports, and the file of each. */
const ENTRIES = [
  ['tablog', 'index'],
  ...['inline', 'broker', 'sqlite', 'connect', 'store-contract'].map((name) => [
    `tablog/${name}`,
    name,
  ]),
  ['tablog/connect/receiver', 'receiver'],
  ['tablog/connect/nats', 'nats'],
  ['tablog/connect/mirror', 'mirror'],
  ['tablog/gateway', 'gateway'],
  ['tablog/connect/durable-streams', 'durable-streams'],
  ['tablog/connect/kafka', 'kafka'],
] as const;

/** What has a script of its own: it takes minutes, or needs more than a browser. */
const aside = (name: string, include: string): object => ({
  extends: true,
  test: {
    name,
    environment: 'node',
    include: [include],
    testTimeout: 180_000,
    hookTimeout: 120_000,
    maxWorkers: 1,
    sequence: { groupOrder: 3 },
  },
});
const { TABLOG_MATRIX: matrix, TABLOG_KAFKA: kafka, TABLOG_CONNECT_RUNS: runs } = process.env;
/** Runs of connectors to one server stand for those to the others, which are `npm run test:connect`. */
const OTHER_RUNS =
  runs === undefined ? ['tests/e2e/connect-{durable-streams,mirror,postgres}.test.ts'] : [];
const ASIDE = [
  ...(matrix === undefined ? [] : [aside('matrix', `tests/matrix/${matrix}.test.ts`)]),
  ...(kafka === undefined ? [] : [aside('kafka', KAFKA)]),
];

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    // Many tests wait for topics on purpose. See missing-topics.test.ts.
    onConsoleLog: (text) => !text.includes(': a consumer waits for the topic'),
    projects: [
      ...ASIDE,
      {
        extends: true,
        plugins: storeOfTests(),
        test: {
          name: 'unit',
          environment: 'node',
          include: ['tests/**/*.test.ts'],
          exclude: [BROWSER_TESTS, ...END_TO_END_TESTS, ...MATRIX, KAFKA],
          setupFiles: ['tests/support/no-page.ts'],
          // Properties take seconds, and more on a busy machine.
          testTimeout: 30_000,
          maxWorkers: '100%', // by default one core is left alone, which of two is half
        },
      },
      {
        extends: true,
        // README shows components of both.
        plugins: [svelte(), vue()],
        // Found while a test runs, a dependency would reload the page under it.
        optimizeDeps: { include: ['comlink', 'fflate', 'idb', 'react-dom/client'] },
        // The README's examples import the package by its name.
        resolve: {
          alias: ENTRIES.map(([name, file]) => ({
            find: new RegExp(`^${name}$`),
            replacement: fileURLToPath(new URL(`../src/${file}.ts`, import.meta.url)),
          })),
        },
        worker: { format: 'es' },
        // As an application's build does: WebKit does not parse `await using`.
        oxc: { target: 'es2022' },
        test: {
          name: 'browser',
          include: [BROWSER_TESTS],
          exclude: END_TO_END_TESTS,
          testTimeout: 20_000,
          fileParallelism: false, // they share the profile
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: browserProvider(engine, profile),
            instances: [{ browser: browserName(engine) }],
          },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          environment: 'node',
          include: END_TO_END_TESTS,
          exclude: [...TIMED_TESTS, ...OTHER_RUNS],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
          isolate: false, // so that the files of a worker build the page once
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e-timed',
          environment: 'node',
          include: TIMED_TESTS,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          maxWorkers: 1,
          // After the others: what has time limits wants the machine for itself.
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'types',
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            include: ['tests/types/**/*.test-d.ts'],
            tsconfig: 'tsconfig.json',
            // `npm run types` reports what is wrong outside of these tests.
            ignoreSourceErrors: true,
          },
        },
      },
    ],
  },
});
