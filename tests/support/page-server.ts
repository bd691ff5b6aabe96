import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { build } from 'vite';
import { FAULT_HOOK } from './worker-faults.ts';
import type { InlineConfig, Plugin, Rolldown } from 'vite';

const WORKER_FILE = /tablog-worker.*\.js$/;

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css',
  html: 'text/html',
  js: 'text/javascript',
  json: 'application/json',
};

export type OverrideAnswer = (response: ServerResponse, body: string | Uint8Array) => void;

export interface PageServer {
  /** The page's address, without a slash at the end. */
  readonly url: string;
  /**
   * Answers requests for a path by `answer` from now on; `undefined`: by the built file, which
   * `answer` gets as well.
   */
  override(path: RegExp, answer: OverrideAnswer | undefined): void;
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

/** Serves the page, and at `/next/` the page as a build of the next protocol has it. */
export async function serveTwoBuilds(root: string): Promise<PageServer> {
  const files = await buildAll(root, undefined);
  const next = await buildPage(root, { input: join(root, 'index.html') }, [nextProtocol()]);
  const moved = next.map((file) => ({ ...file, fileName: `next/${file.fileName}` }));
  return serveFiles([...files, ...moved]);
}

/** Raises the version by which tabs and workers of different builds leave each other alone. */
function nextProtocol(): Plugin {
  const VERSION = /export const PROTOCOL_VERSION = (\d+)/;
  return {
    name: 'next-protocol',
    enforce: 'pre',
    transform(code) {
      if (!VERSION.test(code)) return undefined;
      return code.replace(VERSION, (_, version) => `export const PROTOCOL_VERSION = 1${version}`);
    },
  };
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
  const overrides = new Map<string, { path: RegExp; answer: OverrideAnswer }>();
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const name = path.endsWith('/') ? `${path}index.html` : path;
    const body = files.get(name);
    for (const override of overrides.values()) {
      if (override.path.test(path)) return override.answer(response, body ?? '');
    }
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
  plugins: Plugin[] = [],
): Promise<BuiltFile[]> {
  const build = { target: 'es2022', modulePreload: false, minify: false } as const;
  return built({
    configFile: false,
    root,
    base: './',
    plugins,
    worker: { plugins: () => plugins },
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
