import { fork } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { newDatabaseFile, openDatabase } from '../support/sqlite-database.ts';
import { ChildServer } from '../support/child-server.ts';
import { freePort } from '../support/ports.ts';
import { testRuns } from './connect-run.ts';
import type { Server } from './connect-run.ts';
import type { Target } from './page/connector.ts';

/** The server that README shows. */
const SERVER = fileURLToPath(new URL('../readme/queue-server.mjs', import.meta.url));

class Receiver implements Server {
  readonly #folder = path.dirname(newDatabaseFile());
  readonly #port: number;
  readonly #server: ChildServer;

  constructor(port: number, origin: string) {
    this.#port = port;
    const own = { PORT: String(port), PAGE: origin };
    this.#server = new ChildServer(port, (env) =>
      fork(SERVER, { cwd: this.#folder, env: { ...env, ...own } }),
    );
  }

  get target(): Target {
    return { kind: 'http', url: `http://127.0.0.1:${this.#port}/events` };
  }

  start(): Promise<void> {
    return this.#server.start();
  }

  passTime(ms: number): void {
    this.#server.passTime(ms);
  }

  kill(): Promise<unknown> {
    return this.#server.kill();
  }

  async stored(): Promise<readonly number[]> {
    const database = openDatabase(path.join(this.#folder, 'events.db'));
    const select = database.prepare('SELECT event FROM events ORDER BY rowid');
    const rows = (select as { all(): { event: string }[] }).all();
    database.close();
    return rows.map(({ event }) => Number(event));
  }
}

testRuns('a receiver', async (origin) => new Receiver(await freePort(), origin));
