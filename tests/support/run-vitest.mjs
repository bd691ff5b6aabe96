import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Runs Vitest, for scripts that choose by the environment what is run. Resolves to whether all passed.
 * @param {readonly string[]} args
 * @param {Readonly<Record<string, string | undefined>>} env a value that is undefined is left out
 * @returns {Promise<boolean>}
 */
export function runVitest(args, env) {
  const given = Object.entries(env).filter(([, value]) => value !== undefined);
  return new Promise((resolve) => {
    const child = spawn('npx', ['vitest', 'run', '--config', 'tests/vitest.config.ts', ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      shell: process.platform === 'win32',
      env: { ...process.env, ...Object.fromEntries(given) },
    });
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === 0));
  });
}
