import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { build } from 'vite';
import type { InlineConfig } from 'vite';

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css',
  html: 'text/html',
  js: 'text/javascript',
  json: 'application/json',
};

export interface PageServer {
  /** The page's address, without a slash at the end. */
  readonly url: string;
  /** Answers a path differently from now on; `undefined`: as built. */
  override(path: RegExp, answer: ((response: ServerResponse) => void) | undefined): void;
  close(): Promise<void>;
}

/** Builds the page at `root` as an app would, and serves it from memory on a port of its own. */
export function servePage(root: string): Promise<PageServer> {
  return serveBuild({
    configFile: false,
    root,
    base: './',
    build: { target: 'es2022', modulePreload: false, minify: false },
  });
}

/** Builds what Vite's `config` says, and serves it from memory on a port of its own. */
export async function serveBuild(config: InlineConfig): Promise<PageServer> {
  const built = await build({
    logLevel: 'error',
    ...config,
    build: { ...config.build, write: false },
  });
  const files = new Map<string, string | Uint8Array>();
  for (const result of Array.isArray(built) ? built : [built]) {
    if (!('output' in result)) throw new Error('the build watches instead of building');
    for (const file of result.output) {
      files.set(`/${file.fileName}`, file.type === 'chunk' ? file.code : file.source);
    }
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
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': type });
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
