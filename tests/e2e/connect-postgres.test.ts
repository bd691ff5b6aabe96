import { fork, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { beforeEach } from 'vitest';
import { freePort, isOpen } from '../support/ports.ts';
import { clockEnv } from '../support/shifted-clock.ts';
import { newDatabaseFile } from '../support/sqlite-database.ts';
import { testRuns } from './connect-run.ts';
import type { Server } from './connect-run.ts';
import type { Target } from './page/connector.ts';

/** The server that README shows. */
const SERVER = fileURLToPath(new URL('../readme/postgres-server.mjs', import.meta.url));

/** The programs of PostgreSQL, where Debian has them; `undefined`: it is not installed. */
const programs = ((): string | undefined => {
  const all = '/usr/lib/postgresql';
  const [version] = existsSync(all) ? readdirSync(all).toSorted().toReversed() : [];
  return version === undefined ? undefined : path.join(all, version, 'bin');
})();

beforeEach(({ skip }) => {
  skip(
    programs === undefined,
    'PostgreSQL is not installed: as root on Debian, apt-get install postgresql',
  );
});

/** The user of the server's processes: PostgreSQL refuses to be root's. */
function owner(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout);
  return { uid: id('-u'), gid: id('-g') };
}

/** A receiver over PostgreSQL, both as processes that die. */
class PostgresReceiver implements Server {
  readonly #folder = path.dirname(newDatabaseFile());
  readonly #data = path.join(this.#folder, 'data');
  readonly #port: number;
  readonly #databasePort: number;
  readonly #origin: string;
  #database: ChildProcess | undefined;
  #child: ChildProcess | undefined;
  #aheadMs = 0;

  constructor(port: number, databasePort: number, origin: string) {
    this.#port = port;
    this.#databasePort = databasePort;
    this.#origin = origin;
    const who = owner();
    if (who !== undefined) chownSync(this.#folder, who.uid, who.gid);
    const args = ['-D', this.#data, '-U', 'tests', '--auth=trust', '--no-sync'];
    const { status, stderr } = spawnSync(path.join(programs!, 'initdb'), args, { ...who });
    if (status !== 0) throw new Error(String(stderr));
  }

  get target(): Target {
    return { kind: 'http', url: `http://127.0.0.1:${this.#port}/events` };
  }

  get #url(): string {
    return `postgresql://tests@127.0.0.1:${this.#databasePort}/postgres`;
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    await this.#startDatabase();
    const env = {
      ...process.env,
      ...clockEnv(this.#aheadMs),
      PORT: String(this.#port),
      PAGE: this.#origin,
      DATABASE_URL: this.#url,
    };
    this.#child = fork(SERVER, { cwd: this.#folder, env });
    while (!(await isOpen(this.#port)));
  }

  /** Sets the receiver's clock forth; of PostgreSQL nothing here asks for the time. */
  passTime(ms: number): void {
    this.#aheadMs += ms;
  }

  async kill(): Promise<void> {
    for (const child of [this.#child, this.#database]) {
      if (child === undefined) continue;
      // All its processes die at once, as in a power cut; PostgreSQL's own would go on for a moment.
      if (child === this.#database) process.kill(-child.pid!, 'SIGKILL');
      else child.kill('SIGKILL');
      await once(child, 'exit');
    }
    this.#child = undefined;
    this.#database = undefined;
  }

  async stored(): Promise<readonly number[]> {
    const client = new Client({ connectionString: this.#url });
    await client.connect();
    const { rows } = await client.query<{ event: number }>('SELECT event FROM events ORDER BY at');
    await client.end();
    return rows.map(({ event }) => event);
  }

  async #startDatabase(): Promise<void> {
    if (this.#database !== undefined) return;
    const args = ['-D', this.#data, '-p', String(this.#databasePort), '-k', this.#folder];
    this.#database = spawn(path.join(programs!, 'postgres'), [...args, '-h', '127.0.0.1'], {
      ...owner(),
      detached: true, // a group of processes of its own
      stdio: 'ignore',
    });
    for (;;) {
      const client = new Client({ connectionString: this.#url });
      client.on('error', () => {}); // the next attempt
      const isUp = await client.connect().then(
        () => true,
        () => false,
      );
      await client.end().catch(() => {}); // it was never open
      if (isUp) return;
    }
  }
}

testRuns(
  'a receiver over PostgreSQL',
  async (origin) => new PostgresReceiver(await freePort(), await freePort(), origin),
);
