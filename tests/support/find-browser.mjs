import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;

/** What every test and benchmark starts its browser with: nothing that talks to the network. */
export const BROWSER_ARGS = [
  // Chromium's sandbox refuses to run as root, and most CI containers lack the namespaces it needs.
  ...(isRoot || process.env['CI'] ? ['--no-sandbox'] : []),
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Such as --enable-features=IdbSqliteBackingStore, the backend that Chrome moves to.
  ...(process.env['TABLOG_BROWSER_ARGS']?.split(' ') ?? []),
];

/**
 * The path of a Chromium that starts: `TABLOG_BROWSER`, else Playwright's own, else the system's,
 * else one that is installed now.
 */
export async function findBrowser() {
  return (await lookForBrowser()) ?? (await installBrowser());
}

/** As `findBrowser`, but installs nothing: undefined where there is none. */
export async function lookForBrowser() {
  const wanted = process.env['TABLOG_BROWSER'];
  if (wanted) {
    if (await starts(wanted)) return wanted;
    throw new Error(
      `TABLOG_BROWSER is '${wanted}', which is not a browser that starts: set it to the path of a Chrome or Chromium, or unset it.`,
    );
  }
  for (const candidate of candidates()) {
    if (await starts(candidate)) return candidate;
  }
  return undefined;
}

const NAMES = ['google-chrome-stable', 'google-chrome', 'chromium', 'chromium-browser', 'chrome'];

function* candidates() {
  yield chromium.executablePath();
  const { PATH = '', LOCALAPPDATA, PROGRAMFILES } = process.env;
  const suffix = process.platform === 'win32' ? '.exe' : '';
  for (const name of NAMES) {
    for (const folder of PATH.split(path.delimiter)) yield path.join(folder, name + suffix);
  }
  if (process.platform === 'darwin') {
    yield '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';
    yield '/Applications/Chromium.app/Contents/MacOS/Chromium';
  } else if (process.platform === 'win32') {
    for (const folder of [PROGRAMFILES, process.env['PROGRAMFILES(X86)'], LOCALAPPDATA]) {
      if (folder) yield path.join(folder, 'Google', 'Chrome', 'Application', 'chrome.exe');
    }
  } else {
    yield '/usr/bin/google-chrome';
    yield '/usr/bin/chromium';
    yield '/opt/google/chrome/chrome';
  }
}

/**
 * A file is not enough: Ubuntu's `chromium-browser` may be a stub, and Playwright's download lacks
 * the system's libraries on a bare machine.
 */
async function starts(file) {
  if (!existsSync(file)) return false;
  if (process.platform === 'win32') return true; // there, `--version` opens a window
  try {
    await run(file, ['--version'], { timeout: 30_000 });
    return true;
  } catch {
    return false;
  }
}

async function installBrowser() {
  console.error('No Chrome or Chromium here: installing one.');
  const playwright = path.join(
    path.dirname(createRequire(import.meta.url).resolve('playwright/package.json')),
    'cli.js',
  );
  const steps = [[process.execPath, playwright, 'install', 'chromium']];
  if (isRoot && existsSync('/usr/bin/apt-get')) {
    steps.push(
      ['apt-get', 'update'],
      ['apt-get', 'install', '-y', '--no-install-recommends', 'chromium'],
      [process.execPath, playwright, 'install-deps', 'chromium'],
    );
  }
  for (const [command, ...args] of steps) {
    await runLoudly(command, args);
    const found = await lookForBrowser();
    if (found !== undefined) return found;
  }
  throw new Error(
    'No Chrome or Chromium was found and none could be installed: install one and set TABLOG_BROWSER to its path.',
  );
}

/** Ends when the command does, whatever comes of it: the next look tells whether it helped. */
function runLoudly(command, args) {
  return new Promise((resolve) => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    // stdout is the caller's
    const child = spawn(command, args, { stdio: ['ignore', 2, 2], env });
    child.once('error', resolve);
    child.once('close', resolve);
  });
}
