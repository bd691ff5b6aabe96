import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { build } from 'vite';
import { FAULT_HOOK } from './worker-faults.ts';
import type { InlineConfig, Rolldown } from 'vite';

const WORKER_FILE = /tablog-worker.*\.js$/;

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css',
  html: 'text/html',
  js: 'text/javascript',
  json: 'application/json',
};

export interface PageServer {
  /** The page's address, without a slash at the end. */
  readonly url: string;
  /** Answers requests for a path by `answer` from now on; `undefined`: by the built file. */
  override(path: RegExp, answer: ((response: ServerResponse) => void) | undefined): void;
  close(): Promise<void>;
}

/**
 * The kind of the page's service worker: the file `main.ts` in the page's folder, served as
 * `main.js`.
 */
export type ServiceWorkerKind =
  /** A module, which shares chunks with the page. */
  | 'module'
  /** A classic script in one file. */
  | 'classic';

/** Builds by page: the suites of a file, and the test files of one vitest worker, share a build. */
const pages = new Map<string, Promise<readonly BuiltFile[]>>();

/** Builds the page at `root` as an app would, and serves the page from memory on a new port. */
export async function servePage(
  root: string,
  serviceWorker?: ServiceWorkerKind,
): Promise<PageServer> {
  const key = `${root} ${serviceWorker}`;
  const files = pages.get(key) ?? buildAll(root, serviceWorker);
  pages.set(key, files);
  return serveFiles(await files);
}

/** Builds by Vite's `config`, and serves the output from memory on a new port. */
export async function serveBuild(config: InlineConfig): Promise<PageServer> {
  return serveFiles(await built(config));
}

async function serveFiles(output: readonly BuiltFile[]): Promise<PageServer> {
  const files = new Map<string, string | Uint8Array>();
  for (const file of output) {
    const body = file.type === 'chunk' ? file.code : file.source;
    files.set(`/${file.fileName}`, WORKER_FILE.test(file.fileName) ? withHook(body) : body);
  }
  const overrides = new Map<string, { path: RegExp; answer: (response: ServerResponse) => void }>();
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    for (const override of overrides.values()) {
      if (override.path.test(path)) return override.answer(response);
    }
    const name = path === '/' ? '/index.html' : path;
    const body = files.get(name);
    const type = TYPES[name.split('.').at(-1)!] ?? 'application/octet-stream';
    // A sandboxed frame has an opaque origin, so it loads modules by CORS.
    const headers = { 'content-type': type, 'access-control-allow-origin': '*' };
    response.writeHead(body === undefined ? 404 : 200, headers);
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    override(path, answer) {
      if (answer === undefined) overrides.delete(path.source);
      else overrides.set(path.source, { path, answer });
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

type BuiltFile = Rolldown.OutputChunk | Rolldown.OutputAsset;

async function buildAll(
  root: string,
  serviceWorker: ServiceWorkerKind | undefined,
): Promise<BuiltFile[]> {
  const page = join(root, 'index.html');
  const main = join(root, 'main.ts');
  const entryFileNames = ({ name }: { name: string }): string =>
    name === 'main' && serviceWorker !== undefined ? 'main.js' : 'assets/[name]-[hash].js';
  if (serviceWorker === undefined) return buildPage(root, { input: page });
  if (serviceWorker === 'module') {
    return buildPage(root, { input: { index: page, main }, output: { entryFileNames } });
  }
  const output = { format: 'iife', entryFileNames } as const;
  return [
    ...(await buildPage(root, { input: page })),
    ...(await buildPage(root, { input: { main }, output })),
  ];
}

function buildPage(
  root: string,
  rolldownOptions: NonNullable<InlineConfig['build']>['rolldownOptions'],
): Promise<BuiltFile[]> {
  const build = { target: 'es2022', modulePreload: false, minify: false } as const;
  return built({
    configFile: false,
    root,
    base: './',
    build: { ...build, rolldownOptions: rolldownOptions! },
  });
}

async function built(config: InlineConfig): Promise<BuiltFile[]> {
  const results = await build({
    logLevel: 'error',
    ...config,
    build: { ...config.build, write: false },
  });
  return [results].flat().flatMap((result) => {
    if (!('output' in result)) throw new Error('the build watches instead of building');
    return result.output;
  });
}

function withHook(code: string | Uint8Array): string {
  return Buffer.from(code).toString() + FAULT_HOOK;
}
