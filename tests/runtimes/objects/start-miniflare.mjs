// workerd, as Miniflare starts it.
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { modules } from '../runtimes.mjs';

const dist = fileURLToPath(new URL('../../../dist', import.meta.url));
const FILES = {
  tablog: 'index.js',
  'tablog/inline': 'inline.js',
  'tablog/sqlite': 'sqlite.js',
  'tablog/connect/receiver': 'receiver.js',
};
const tablog = {
  name: 'tablog',
  setup: (esbuild) =>
    esbuild.onResolve({ filter: /^tablog/ }, ({ path: name }) => ({
      path: path.join(dist, FILES[name]),
    })),
};

/**
 * Starts a worker whose objects have SQLite: the classes of the file `entry` by their bindings. `persist`:
 * the folder that keeps their data.
 */
export async function startMiniflare(entry, objects, persist) {
  const { Miniflare } = createRequire(path.join(modules, 'index.js'))('miniflare');
  const options = { bundle: true, format: 'esm', target: 'es2022', write: false };
  const { outputFiles } = await build({ entryPoints: [entry], plugins: [tablog], ...options });
  const classes = Object.entries(objects).map(([name, className]) => [
    name,
    { className, useSQLite: true },
  ]);
  const server = new Miniflare({
    modules: true,
    script: outputFiles[0].text,
    compatibilityDate: '2026-01-01',
    durableObjects: Object.fromEntries(classes),
    durableObjectsPersist: persist,
    host: '127.0.0.1',
    port: 0,
  });
  return { url: String(await server.ready).replace(/\/$/, ''), stop: () => server.dispose() };
}
