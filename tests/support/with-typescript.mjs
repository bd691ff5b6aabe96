import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';

/**
 * Runs a TypeScript module in this process, for scripts: Node 20 runs none itself. What the module
 * imports later, by `import()`, is run as long as `use` has not settled.
 * @template T
 * @param {URL} file
 * @param {(module: Record<string, any>) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withTypeScript(file, use) {
  const vite = await createServer({
    configFile: false,
    logLevel: 'error',
    appType: 'custom',
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  });
  try {
    return await use(await vite.ssrLoadModule(fileURLToPath(file)));
  } finally {
    await vite.close();
  }
}
