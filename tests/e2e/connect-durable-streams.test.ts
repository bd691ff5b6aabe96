import { fork } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeStreamPath } from '@durable-streams/server';
import type { DurableStreamsMessage } from '../../src/durable-streams.ts';
import { newDatabaseFile } from '../support/sqlite-database.ts';
import { ChildServer } from '../support/child-server.ts';
import { freePort } from '../support/ports.ts';
import { testRuns } from './connect-run.ts';
import type { Server } from './connect-run.ts';
import type { Target } from './page/connector.ts';

const SERVER = fileURLToPath(new URL('../connect/durable-streams-server.mjs', import.meta.url));

/**
 * The reference server over files. It appends to a stream's file, syncs it, and stores what it knows of
 * producers thereafter, in LMDB: a server that is killed in between has a batch of which it knows nothing.
 */
class StreamsServer implements Server {
  readonly #folder = path.dirname(newDatabaseFile());
  readonly #port: number;
  readonly #server: ChildServer;

  constructor(port: number) {
    this.#port = port;
    this.#server = new ChildServer(port, (env) =>
      // What it tells is read by nobody: a pipe that is full would stop it.
      fork(SERVER, {
        cwd: this.#folder,
        env: { ...env, PORT: String(port) },
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      }),
    );
  }

  get target(): Target {
    return { kind: 'durable-streams', url: `http://127.0.0.1:${this.#port}/streams` };
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
    const files = readdirSync(path.join(this.#folder, 'streams'));
    const paths = new Set(files.map((file) => decodeStreamPath(file.split('~')[0]!)));
    const numbers: number[] = [];
    for (const stream of paths) {
      const answer = await fetch(`http://127.0.0.1:${this.#port}${stream}`);
      const messages = (await answer.json()) as DurableStreamsMessage[];
      for (const { records = [] } of messages) {
        numbers.push(...records.map(({ value }) => value as number));
      }
    }
    return numbers;
  }
}

testRuns('Durable Streams', async () => new StreamsServer(await freePort()));
