// The runtimes outside of the browser, from the registry: the platform's own packages have the
// programs, so that no install script has to run.
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = path.join(here, '..', '..');
const folder = path.join(root, '.cache', 'runtimes');
export const modules = path.join(folder, 'node_modules');

/**
 * A runtime, and how it runs a file.
 * @typedef {{ name: string, version: string, command: string, args: readonly string[] }} Runtime
 */

/** Installs the runtimes; resolves to those that this machine has.
 * @returns {Runtime[]}
 */
export function installRuntimes() {
  mkdirSync(folder, { recursive: true });
  copyFileSync(path.join(here, 'dependencies.json'), path.join(folder, 'package.json'));
  const install = [
    'install',
    '--ignore-scripts',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
  ];
  const shell = process.platform === 'win32';
  spawnSync('npm', install, { cwd: folder, shell, stdio: ['ignore', 'ignore', 'inherit'] });
  const found = [
    { name: 'Node', command: process.execPath, args: [] },
    { name: 'Node', command: find(/^node-/, 'bin/node'), args: [] },
    { name: 'Bun', command: find(/^@oven\/bun-/, 'bin/bun'), args: ['--bun'] },
    { name: 'Deno', command: find(/^@deno\//, 'deno'), args: ['run', '-A'] },
  ];
  return found.flatMap(({ name, command, args }) => {
    if (command === undefined) {
      console.log(`not on this platform: ${name}`);
      return [];
    }
    const output = execFileSync(command, ['--version'], { encoding: 'utf8' });
    return [{ name, version: /\d[\d.]*/.exec(output)[0], command, args }];
  });
}

/** The program in the first package of the platform that has one. */
function find(pattern, program) {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return packages()
    .filter((name) => pattern.test(name))
    .map((name) => path.join(modules, name, `${program}${suffix}`))
    .find((file) => existsSync(file));
}

function packages() {
  return readdirSync(modules).flatMap((name) =>
    name.startsWith('@')
      ? readdirSync(path.join(modules, name)).map((sub) => `${name}/${sub}`)
      : name,
  );
}
