// Where the apps are made: a folder outside of the package, with every bundler and the packed package.
import { execFile, spawn } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = path.join(here, '..', '..');
const workshop = path.join(root, '.cache', 'bundlers');
const modules = path.join(workshop, 'node_modules');

/**
 * The environment of the bundlers, without what an outer npm or test runner sets: they build by
 * `NODE_ENV`.
 */
const env = { ...process.env, NO_COLOR: '1' };
for (const name of ['NODE_ENV', 'VITEST', 'DEV', 'PROD', 'MODE', 'FORCE_COLOR']) delete env[name];

const PAGES = {
  sample: path.join(here, '..', 'readme', 'first-sample.ts'),
  parts: path.join(here, 'pages', 'parts.ts'),
  inline: path.join(here, 'pages', 'inline.ts'),
};

/** Installs the bundlers, unless they are installed, and the package as it would be published. */
export async function install() {
  mkdirSync(workshop, { recursive: true });
  const lock = path.join(workshop, 'package-lock.json');
  const installed = existsSync(modules) && existsSync(lock) ? readFileSync(lock, 'utf8') : '';
  const flags = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  if (installed !== readFileSync(path.join(here, 'package-lock.json'), 'utf8')) {
    for (const file of ['package.json', 'package-lock.json']) {
      copyFileSync(path.join(here, file), path.join(workshop, file));
    }
    await npm(workshop, 'ci', ...flags);
  }
  const packed = await npm(
    root,
    'pack',
    '--json',
    '--ignore-scripts',
    '--pack-destination',
    workshop,
  );
  const [{ filename }] = JSON.parse(packed);
  rmSync(path.join(modules, 'tablog'), { recursive: true, force: true });
  await npm(workshop, 'install', '--no-save', ...flags, `./${filename}`);
}

/**
 * The version of a package in node_modules.
 * @param {string} name
 */
export function versionOf(name) {
  return JSON.parse(readFileSync(path.join(modules, name, 'package.json'), 'utf8')).version;
}

/**
 * Makes the app of a case anew, with this page as its entry.
 * @param {import('./cases.mjs').Case} made
 * @param {keyof typeof PAGES} page
 */
export function makeApp(made, page) {
  const folder = path.join(workshop, 'apps', made.name.replaceAll(/\W+/g, '-'));
  for (const old of [folder, path.join(modules, '.vite')]) {
    rmSync(old, { recursive: true, force: true });
  }
  mkdirSync(folder, { recursive: true });
  const source = readFileSync(PAGES[page], 'utf8');
  const entry = made.language === 'ts' ? source : transformSync(source, { loader: 'ts' }).code;
  const files = { ...made.files, [`main.${made.language}`]: entry };
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  for (const [name, from] of Object.entries(made.copies ?? {})) {
    cpSync(path.join(modules, from), path.join(folder, name), { recursive: true });
  }
  return folder;
}

/**
 * Runs a program of an installed package to its end.
 * @param {string} cwd
 * @param {readonly string[]} command
 */
export function runToEnd(cwd, command) {
  return new Promise((resolve, reject) => {
    const options = { cwd, env, timeout: 120_000 };
    execFile(...programOf(command), options, (error, out, err) => {
      if (error === null) resolve(out);
      else reject(new Error(`${command.join(' ')} failed:\n${out}${err}`));
    });
  });
}

/** The program and arguments: Node for a package's module; a command of `.bin` as it is. */
function programOf([script, ...args]) {
  const file = path.join(modules, script);
  return script.startsWith('.bin/') ? [file, args] : [process.execPath, [file, ...args]];
}

/**
 * Starts a server, and gives its address when it listens.
 * @param {string} cwd
 * @param {readonly string[]} command
 */
export async function startServer(cwd, command) {
  const child = spawn(...programOf(command), { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const close = async () => {
    child.kill();
    await ended;
  };
  let output = '';
  const url = await new Promise((resolve) => {
    const listen = (chunk) => {
      output += String(chunk);
      const address = /http:\/\/\S+:\d+\//.exec(output);
      if (address !== null) resolve(address[0]);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    void ended.then(() => resolve(undefined));
  });
  if (url === undefined) throw new Error(`${command.join(' ')} ended:\n${output}`);
  return { url, close };
}

function npm(cwd, ...args) {
  const shell = process.platform === 'win32';
  return new Promise((resolve, reject) => {
    execFile('npm', args, { cwd, env, shell, maxBuffer: 2 ** 26 }, (error, out, err) => {
      if (error === null) resolve(out);
      else reject(new Error(`npm ${args[0]} failed:\n${out}${err}`));
    });
  });
}
