import { createContext, runInContext } from 'node:vm';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { expect, test } from 'vitest';

/** What a module could reach for too early: none of it is in a bare context. */
const GLOBALS = [
  'AbortController',
  'AbortSignal',
  'Blob',
  'BroadcastChannel',
  'MessageChannel',
  'SharedWorker',
  'TextDecoder',
  'TextEncoder',
  'URL',
  'Worker',
  'addEventListener',
  'clearTimeout',
  'console',
  'crypto',
  'document',
  'fetch',
  'indexedDB',
  'localStorage',
  'location',
  'navigator',
  'performance',
  'queueMicrotask',
  'requestIdleCallback',
  'self',
  'setInterval',
  'setTimeout',
  'structuredClone',
  'window',
];

// Deno's contexts of node:vm have no accessors of globals.
test.skipIf('Deno' in globalThis)('importing tablog runs nothing', async () => {
  const code = await bundle(fileURLToPath(new URL('../../../src/index.ts', import.meta.url)));
  const touched: string[] = [];
  const context = createContext({ touch: (name: string) => touched.push(name) });
  // Within the context: accessors of the object that it was made of are not called in every runtime.
  runInContext(
    `for (const name of ${JSON.stringify(GLOBALS)}) {
      Object.defineProperty(globalThis, name, {
        configurable: true,
        get() {
          touch(name);
          throw new Error(name + ' was touched');
        },
      });
    }`,
    context,
  );
  const exported = runInContext(`${code}\nObject.keys(tablog)`, context) as string[];
  expect(touched).toEqual([]);
  expect([...exported].sort()).toEqual([
    'SendBatchError',
    'TablogError',
    'bytes',
    'deleteLog',
    'double',
    'float',
    'integer',
    'json',
    'listLogs',
    'long',
    'openLog',
    'short',
    'string',
    'table',
    'topic',
  ]);
  // The poison works.
  expect(() => runInContext('setTimeout', context) as unknown).toThrow('setTimeout was touched');
  expect(
    () => runInContext('tablog.openLog("x").catch(() => {})', context) as unknown,
  ).not.toThrow();
  expect(touched).toContain('setTimeout');
});

/** One script that defines `tablog`, with nothing taken out as unused. */
async function bundle(entry: string): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      minify: false,
      target: 'es2022',
      lib: { entry, formats: ['iife'], name: 'tablog' },
      rolldownOptions: { treeshake: false },
    },
  });
  const [result] = Array.isArray(built) ? built : [built];
  if (!('output' in result)) throw new Error('the build watches instead of building');
  return result.output[0].code;
}
