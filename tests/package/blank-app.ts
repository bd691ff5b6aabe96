import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a test runner or an outer npm sets must not reach the app: Vite builds by `NODE_ENV`. */
const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' };
for (const name of ['NODE_ENV', 'VITEST', 'DEV', 'PROD', 'MODE', 'FORCE_COLOR']) delete env[name];

/** An application in a folder of its own, outside of this one, with the packed package installed. */
export interface BlankApp extends AsyncDisposable {
  readonly folder: string;
  /** Runs a module of an installed package to its end, and gives what it printed. */
  run(script: string, ...args: string[]): Promise<string>;
  /** Starts Vite, and gives its address when it listens. */
  serve(...args: string[]): Promise<Server>;
}

export interface Server extends AsyncDisposable {
  readonly url: string;
}

export async function makeBlankApp(files: Readonly<Record<string, string>>): Promise<BlankApp> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tablog-package-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(folder, name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, text);
    }
    await install(folder);
  } catch (error) {
    await rm(folder, { recursive: true });
    throw error;
  }
  const vite = path.join(folder, 'node_modules', 'vite', 'bin', 'vite.js');
  return {
    folder,
    run: (script, ...args) => runNode(folder, script, args),
    serve: (...args) => serve(folder, vite, args),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, maxRetries: 3 }),
  };
}

async function install(folder: string): Promise<void> {
  const packed = await npm(
    root,
    'pack',
    '--json',
    '--ignore-scripts',
    '--pack-destination',
    folder,
  );
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  const lock = JSON.parse(await readFile(path.join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string }>;
  };
  const vite = `vite@${lock.packages['node_modules/vite']!.version}`;
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock'];
  await npm(folder, 'install', ...flags, `./${filename}`, vite);
}

async function npm(cwd: string, ...args: string[]): Promise<string> {
  const shell = process.platform === 'win32';
  return (await run('npm', args, { cwd, env, shell })).stdout;
}

function runNode(cwd: string, script: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, ...args], { cwd, env }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const what = `${path.basename(script)} ${args.join(' ')}`;
      reject(new Error(`${what} failed:\n${stdout}${stderr}`));
    });
  });
}

async function serve(cwd: string, vite: string, args: string[]): Promise<Server> {
  const child = spawn(process.execPath, [vite, ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill();
    await ended;
  };
  let output = '';
  const url = await new Promise<string | undefined>((resolve) => {
    const listen = (chunk: Buffer): void => {
      output += chunk.toString();
      const address = /http:\/\/\S+:\d+\//.exec(output);
      if (address !== null) resolve(address[0]);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    void ended.then(() => resolve(undefined));
  });
  if (url === undefined) throw new Error(`vite ${args.join(' ')} ended:\n${output}`);
  return { url, [Symbol.asyncDispose]: stop };
}
