import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { ChildServer } from './child-server.ts';
import { newDatabaseFile } from './sqlite-database.ts';

export const hasNats: boolean = spawnSync('nats-server', ['--version']).status === 0;
export const NO_NATS =
  'nats-server is not installed: as root on Debian, apt-get install nats-server';

/** A nats-server with JetStream over files, by WebSocket. */
export class NatsServer {
  readonly #config = path.join(path.dirname(newDatabaseFile()), 'nats.conf');
  readonly #port: number;
  readonly #server: ChildServer;

  constructor(port: number, clientPort: number) {
    this.#port = port;
    this.#server = new ChildServer(port, () =>
      spawn('nats-server', ['-c', this.#config], { stdio: 'ignore' }),
    );
    writeFileSync(
      this.#config,
      `listen: "127.0.0.1:${clientPort}"
jetstream { store_dir: "${path.dirname(this.#config)}" }
websocket { listen: "127.0.0.1:${port}", no_tls: true }
`,
    );
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}`;
  }

  /** Starts it, where it does not run. */
  start(): Promise<void> {
    return this.#server.start();
  }

  kill(): Promise<unknown> {
    return this.#server.kill();
  }
}
