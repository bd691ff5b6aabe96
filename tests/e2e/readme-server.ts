import { fork } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChildServer } from '../support/child-server.ts';
import { newDatabaseFile } from '../support/sqlite-database.ts';

/** A server that README shows, over files in a folder of its own. */
export class ReadmeServer extends ChildServer {
  readonly folder: string;
  readonly port: number;

  /** `file`: its name in `tests/readme`. `origin`: that of the page which may use it. */
  constructor(file: string, port: number, origin: string) {
    const server = fileURLToPath(new URL(`../readme/${file}`, import.meta.url));
    const folder = path.dirname(newDatabaseFile());
    const own = { PORT: String(port), PAGE: origin };
    super(port, (env) => fork(server, { cwd: folder, env: { ...env, ...own } }));
    this.folder = folder;
    this.port = port;
  }
}
