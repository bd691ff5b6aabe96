import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { chromium } from 'playwright';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { importsOf } from '../../src/client/connection/worker-file.ts';
import { BROWSER_ARGS, findBrowser } from '../support/find-browser.mjs';
import { makeBlankApp } from './blank-app.ts';
import type { BlankApp, Server } from './blank-app.ts';

const APP = {
  'package.json': '{ "name": "app", "private": true, "type": "module" }',
  'vite.config.js': `export default { optimizeDeps: { exclude: ['tablog'] }, base: './' };`,
  // The icon: a browser asks for one, and the missing file would count as an error.
  'index.html': `<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<script type="module" src="./main.ts"></script>`,
  'main.ts': `
import { openLog, string, topic } from 'tablog';

const log = await openLog('shop');
const greetings = topic('greetings', { key: string(), value: string() });
await log.admin.createTopics([greetings]);

Object.assign(globalThis, {
  say: (value: string) => log.producer({ compression: 'gzip' }).send(greetings, { key: 'k', value }),
  async hear(count: number) {
    const heard = [];
    for await (const { value } of log.consumer({ topics: [greetings], from: 'earliest' })) {
      if (heard.push(value) === count) return heard;
    }
  },
});`,
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      strict: true,
      noEmit: true,
      target: 'ES2022',
      lib: ['ES2022', 'DOM'], // what a new project has: Disposable comes with the package's types
      module: 'ESNext',
      moduleResolution: 'bundler',
      types: [],
      skipLibCheck: false,
    },
    files: ['consumer.ts'],
  }),
  'consumer.ts': `
import { json, openLog, string, topic } from 'tablog';
import type { Message, RecordMetadata } from 'tablog';
import { inline } from 'tablog/inline';
import { memoryStore, openBroker, storeError } from 'tablog/broker';
import type { Broker, Platform, Request, Store, StoreFactory, Writer } from 'tablog/broker';
import { storeContract } from 'tablog/store-contract';

const orders = topic('orders', { key: string(), value: json<{ id: string }>() });
const log = await openLog('shop', { host: inline({ storage: 'memory' }) });
const placed: RecordMetadata = await log.producer().send(orders, { key: 'u1', value: { id: 'o1' } });
export const offset: number = placed.offset;

for await (const message of log.consumer({ topics: [orders] })) {
  const id: string | undefined = message.value?.id;
  console.log(id);
}

export async function send(): Promise<void> {
  await using producer = log.producer();
  await producer.send(orders, { key: 'u1', value: { id: 'o2' } });
}

const store: StoreFactory = { ...memoryStore(), open: () => Promise.reject(storeError('STORAGE_FULL', 'no room')) };
const platform: Platform = { locks: navigator.locks, openChannel: (name) => new BroadcastChannel(name), crypto };
const { broker }: { broker: Broker } = openBroker({ log: 'shop', store, platform });
export const request: Request<'openLog'> = { logId: null };
await broker.openLog(request);
export const host = inline({ store, platform: { locks: null } });
export const names: string[] = storeContract().map(({ name }) => name);
export function clear(store: Store, of: string): Promise<void> {
  return store.update([{ store: of, key: 'a' }], (_, write: Writer) => write.clear(of));
}
// @ts-expect-error What decides is synchronous.
await (null as unknown as Store).update([], async () => {});
// @ts-expect-error A store has a delete, too.
inline({ store: { open: store.open, list: store.list } });

// @ts-expect-error The value has another type.
await log.producer().send(orders, { key: 'u1', value: { id: 1 } });
// @ts-expect-error There is no such option.
log.producer({ linger: 5 });
// @ts-expect-error A page has no Node.
process.exit();
export type { Message };
`,
};

/** What `main.ts` puts on the page. */
declare const say: (value: string) => Promise<unknown>;
declare const hear: (count: number) => Promise<string[]>;

let app: BlankApp;
beforeAll(async () => {
  app = await makeBlankApp(APP);
}, 300_000);
afterAll(() => app?.[Symbol.asyncDispose]());

describe('the packed package', () => {
  test('holds the build and its sources, and no more', async () => {
    const folder = path.join(app.folder, 'node_modules', 'tablog');
    const files = await readdir(folder, { recursive: true, withFileTypes: true });
    const names = files
      .filter((file) => file.isFile())
      .map((file) => path.relative(folder, path.join(file.parentPath, file.name)))
      .map((name) => name.replaceAll('\\', '/'));
    const others = names.filter(
      (name) => !/^dist\/.+\.(js|d\.ts)(\.map)?$|^src\/.+\.ts$/.test(name),
    );
    expect(others.sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'RELIABILITY.md',
      'SECURITY.md',
      'dist/THIRD-PARTY-NOTICES.txt',
      'inline/package.json',
      'package.json',
    ]);

    const maps = names.filter((name) => name.endsWith('.map'));
    expect(maps.length).toBeGreaterThan(0);
    for (const map of maps) {
      const { sources, sourcesContent = [] } = JSON.parse(
        await readFile(path.join(folder, map), 'utf8'),
      ) as { sources: string[]; sourcesContent?: (string | null)[] };
      // What is not in the package, which the bundled libraries are not, the map has itself.
      const places = sources
        .filter((_, i) => typeof sourcesContent[i] !== 'string')
        .map((source) => path.posix.join(path.posix.dirname(map), source));
      expect(names, map).toEqual(expect.arrayContaining(places));
    }
  });

  test('has a page and a worker that need no other file, and no syntax that bundlers refuse', async () => {
    const folder = path.join(app.folder, 'node_modules', 'tablog', 'dist');
    for (const file of ['tablog.js', 'tablog-worker.js']) {
      const text = await readFile(path.join(folder, file), 'utf8');
      expect(importsOf(text), file).toEqual([]);
      expect(text, file).not.toMatch(/\bimport\(/);
    }
    const files = await readdir(folder, { recursive: true });
    for (const file of files.filter((name) => name.endsWith('.js'))) {
      const text = await readFile(path.join(folder, file), 'utf8');
      expect(text, file).not.toMatch(/^\s*(await\s+)?using\s+\w/m);
    }
  });

  test('has types that compile strictly, and need none of Node', async () => {
    const require = createRequire(import.meta.url);
    const tsc = path.join(path.dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
    expect(await app.run(tsc, '--pretty', 'false')).toBe('');
  });
});

describe('two tabs of a blank Vite app', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: await findBrowser(), args: BROWSER_ARGS });
  });
  afterAll(() => browser?.close());

  test('share one log and one worker, served by the dev server', async () => {
    await using server = await app.serve('--port', '0');
    await expectOneSharedLog(browser, server);
  });

  test('share one log and one worker, built and previewed', async () => {
    await app.run(path.join(app.folder, 'node_modules', 'vite', 'bin', 'vite.js'), 'build');
    await using server = await app.serve('preview', '--port', '0');
    await expectOneSharedLog(browser, server);
  });
});

async function expectOneSharedLog(browser: Browser, server: Server): Promise<void> {
  await using context = await browser.newContext();
  const problems: string[] = [];
  const openTab = async (): Promise<Page> => {
    const page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    const broken = new Promise<never>((_, reject) => {
      page.on('pageerror', (error) => {
        problems.push(String(error));
        reject(error);
      });
    });
    broken.catch(() => {}); // `problems` tells of what breaks later
    await page.goto(server.url);
    await Promise.race([page.waitForFunction(() => 'say' in globalThis), broken]);
    return page;
  };
  const one = await openTab();
  const two = await openTab();

  // Long enough to be worth compressing: who reads it loads the codec.
  const long = 'from one '.repeat(1000);
  await one.evaluate((text) => say(text), long);
  expect(await two.evaluate(() => hear(1))).toEqual([long]);
  await two.evaluate(() => say('from two'));
  expect(await one.evaluate(() => hear(2))).toEqual([long, 'from two']);

  const devtools = await browser.newBrowserCDPSession();
  const { targetInfos } = await devtools.send('Target.getTargets');
  await devtools.detach();
  const running = targetInfos.filter(({ url }) => url.startsWith(server.url));
  expect(running.map(({ type }) => type).sort()).toEqual(['page', 'page', 'shared_worker']);
  expect(problems).toEqual([]);
}
