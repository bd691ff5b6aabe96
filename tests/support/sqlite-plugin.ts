import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const IN_MEMORY = /\/src\/store\/memory-store(?:-factory)?\.ts$/;
const SQLITE = fileURLToPath(new URL('sqlite-as-memory.ts', import.meta.url));

/**
 * The store of the tests that have one in memory: with `TABLOG_STORE=sqlite` it is SQLite.
 * Topics in memory stay in memory.
 */
export function storeOfTests(): Plugin[] {
  if (process.env['TABLOG_STORE'] !== 'sqlite') return [];
  return [
    {
      name: 'tablog:store-of-tests',
      enforce: 'pre',
      async resolveId(source, importer, options) {
        if (importer === undefined || importer.includes('/src/broker/memory/')) return null;
        const resolved = await this.resolve(source, importer, { ...options, skipSelf: true });
        return resolved !== null && IN_MEMORY.test(resolved.id) ? SQLITE : null;
      },
    },
  ];
}
