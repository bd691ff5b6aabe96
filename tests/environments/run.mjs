// Packs the package and runs it in each environment of this folder, an application with packages of
// its own: `npm run test:environments`, or `npm run test:environments -- jest` for one of them. Not in
// `npm test`: the environments have to be installed first, which takes a minute and the network.
import { execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findBrowser } from '../support/find-browser.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = path.join(here, '..', '..');
const INSTALL = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock'];

const wanted = process.argv.slice(2);
const folders = (await readdir(here, { withFileTypes: true }))
  .filter((entry) => entry.isDirectory() && entry.name !== 'shared')
  .map(({ name }) => name)
  .filter((name) => wanted.length === 0 || wanted.includes(name));

const browser = await findBrowser();
const env = { ...process.env, ...(browser !== undefined && { TABLOG_BROWSER: browser }) };
// The applications must not see what an outer npm or test runner sets.
for (const name of ['NODE_ENV', 'VITEST', 'FORCE_COLOR']) delete env[name];

const temporary = await mkdtemp(path.join(tmpdir(), 'tablog-environments-'));
let failed = 0;
try {
  await npm(root, 'run', '--silent', 'build');
  const pack = promisify(execFile);
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', temporary];
  const { stdout } = await pack('npm', args, { cwd: root });
  const tarball = path.join(temporary, JSON.parse(stdout)[0].filename);
  for (const name of folders) {
    console.log(`\n${name}`);
    const app = path.join(temporary, name);
    await cp(path.join(here, name), app, { recursive: true });
    await cp(path.join(here, 'shared'), app, { recursive: true });
    const isInstalled = (await npm(app, ...INSTALL, tarball)) === 0;
    if (!isInstalled || (await npm(app, 'test')) !== 0) failed++;
  }
} finally {
  await rm(temporary, { recursive: true, maxRetries: 3 });
}
console.log(`\n${folders.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 && folders.length > 0 ? 0 : 1;

/** Runs npm and shows its output; resolves with its exit code. */
function npm(cwd, ...args) {
  return new Promise((resolve, reject) => {
    const shell = process.platform === 'win32';
    const child = spawn('npm', args, { cwd, env, shell, stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', reject);
    child.once('close', resolve);
  });
}
