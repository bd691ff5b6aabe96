import { createServer } from 'node:http';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';

const TYPES = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.mjs', 'text/javascript; charset=utf-8'],
  ['.json', 'application/json; charset=utf-8'],
]);

const HEADERS = { 'Cache-Control': 'no-store' };

/**
 * What makes a page "cross-origin isolated". Its clock then has steps of 5 µs, where others have
 * 100; but its SharedWorker runs in another process, which makes every transfer dearer. So these
 * are for latencies only.
 */
const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

const ISOLATED = '.isolated.localhost';

/**
 * @typedef {object} Site
 * @property {(name: string) => string} origin
 * @property {(name: string) => string} isolatedOrigin
 * @property {() => Promise<void>} close
 */

/**
 * Serves `folder` on 127.0.0.1, at every name that ends in `.localhost`: each name is an origin of
 * its own, with a storage of its own.
 * @param {string} folder
 * @returns {Promise<Site>}
 */
export async function serve(folder) {
  const server = createServer((request, response) => {
    answer(folder, request, response).catch(() => response.destroy());
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(undefined));
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    origin: (name) => `http://${name}.localhost:${port}`,
    isolatedOrigin: (name) => `http://${name}${ISOLATED}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * @param {string} folder
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
async function answer(folder, request, response) {
  const { pathname, hostname } = new URL(request.url ?? '/', `http://${request.headers.host}`);
  const headers = hostname.endsWith(ISOLATED) ? { ...HEADERS, ...ISOLATION } : HEADERS;
  const file = path.join(folder, pathname.endsWith('/') ? `${pathname}index.html` : pathname);
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile() || !file.startsWith(folder + path.sep)) {
    response.writeHead(404, headers).end();
    return;
  }
  const type = TYPES.get(path.extname(file)) ?? 'application/octet-stream';
  response.writeHead(200, { ...headers, 'Content-Type': type });
  createReadStream(file).pipe(response);
}
