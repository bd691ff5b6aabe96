import path from 'node:path';
import { openDatabase } from '../support/sqlite-database.ts';
import { freePort } from '../support/ports.ts';
import { testRuns } from './connect-run.ts';
import type { Server } from './connect-run.ts';
import type { Target } from './page/connector.ts';
import { ReadmeServer } from './readme-server.ts';

class Receiver extends ReadmeServer implements Server {
  get target(): Target {
    return { kind: 'http', url: `http://127.0.0.1:${this.port}/events` };
  }

  async stored(): Promise<readonly number[]> {
    const database = openDatabase(path.join(this.folder, 'events.db'));
    const select = database.prepare('SELECT event FROM events ORDER BY rowid');
    const rows = (select as { all(): { event: string }[] }).all();
    database.close();
    return rows.map(({ event }) => Number(event));
  }
}

testRuns(
  'a receiver',
  async (origin) => new Receiver('queue-server.mjs', await freePort(), origin),
);
