// Installs what the tests of four engines need, on Debian and its like as root; elsewhere it names
// what is missing.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { installedEngines } from './installed.mjs';

const PACKAGES = ['chromium', 'firefox-esr', 'python3-gi', 'gir1.2-webkit2-4.1', 'xvfb', 'procps'];

const isComplete = async () => (await installedEngines()).length === 4;

if (!(await isComplete()) && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...PACKAGES]]) {
    spawnSync('apt-get', args, {
      stdio: ['ignore', 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  }
  await isComplete(); // names what is still missing
}
