import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeStreamPath } from '@durable-streams/server';
import type { Page } from 'playwright';
import { freePort } from '../../support/ports.ts';
import { openDatabase } from '../../support/sqlite-database.ts';
import { inline } from '../../../src/inline.ts';
import { json, openLog, topic } from '../../../src/index.ts';
import { sqlite } from '../../../src/sqlite.ts';
import type { Job, PathName, Side } from './job.ts';
import { KafkaPath } from './kafka-path.ts';
import { newFolder, startServer } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';

/** A server that takes what a page delivers. */
export interface FarEnd {
  readonly target: Pick<Job, 'path' | 'url' | 'topics'>;
  /** The values that it has, in the order in which it has them. `tab`: a page that may ask it. */
  values(tab: Page): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** A way of records to a kind of server. */
export interface BenchPath {
  readonly name: PathName;
  readonly title: string;
  /** Why it cannot be measured here. */
  readonly lack: string | undefined;
  /** What the server is, with its version. */
  readonly versions: readonly string[];
  /** Starts a server that has nothing, for pages of `origin`. */
  start(side: Side, origin: string, partitions: number): Promise<FarEnd>;
  close(): Promise<void>;
}

const TOPICS = { warmUp: 'orders', measured: 'events' };

/** `parent`: the folder of all servers. */
export function pathsOf(only: readonly PathName[], parent: string): BenchPath[] {
  const all = [httpPath(parent), natsPath(parent), streamsPath(parent), mirrorPath(parent)];
  return [...all.slice(0, 3), new KafkaPath(parent), ...all.slice(3)].filter(({ name }) =>
    only.includes(name),
  );
}

function fileOf(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

interface Started {
  readonly url: string;
  readonly folder: string;
  readonly server: ServerProcess;
}

/** Runs a module of Node as a server. */
async function startModule(
  parent: string,
  module: string,
  env: Readonly<Record<string, string>>,
): Promise<Started> {
  const port = await freePort();
  const folder = newFolder(parent);
  const server = await startServer({
    command: process.execPath,
    args: [fileOf(module)],
    env: { ...env, PORT: String(port) },
    port,
    folder,
  });
  return { url: `127.0.0.1:${port}`, folder, server };
}

function httpPath(parent: string): BenchPath {
  return {
    name: 'http',
    title: '`httpSink`, `receiver()` over SQLite; `fetch`, the same without positions',
    lack: undefined,
    versions: [],
    async start(side, origin) {
      const module = side === 'tablog' ? '../../readme/queue-server.mjs' : 'servers/plain-http.mjs';
      const { url, folder, server } = await startModule(parent, module, { PAGE: origin });
      return {
        target: { path: 'http', url: `http://${url}`, topics: TOPICS },
        async values() {
          const database = openDatabase(path.join(folder, 'events.db'));
          const rows = database.prepare('SELECT event FROM events ORDER BY rowid').all();
          database.close();
          return (rows as { event: string }[]).map(({ event }) => JSON.parse(event) as string);
        },
        close: () => server.remove(),
      };
    },
    async close() {},
  };
}

function natsPath(parent: string): BenchPath {
  const asked = spawnSync('nats-server', ['--version'], { encoding: 'utf8' });
  return {
    name: 'nats',
    title: '`natsSink`; `publish` of JetStream',
    lack:
      asked.status === 0
        ? undefined
        : 'nats-server is not installed: as root on Debian, apt-get install nats-server',
    versions: [asked.stdout?.trim().replace(':', '').replace(' v', ' ')],
    async start() {
      const [port, clientPort] = [await freePort(), await freePort()];
      const folder = newFolder(parent);
      const config = path.join(folder, 'nats.conf');
      writeFileSync(
        config,
        `listen: "127.0.0.1:${clientPort}"
jetstream { store_dir: "${folder}" }
websocket { listen: "127.0.0.1:${port}", no_tls: true }
log_file: "${path.join(folder, 'nats.log')}"
`,
      );
      const args = ['-c', config];
      const server = await startServer({ command: 'nats-server', args, port, folder });
      const url = `ws://127.0.0.1:${port}`;
      return {
        target: { path: 'nats', url, topics: TOPICS },
        values: (tab) => tab.evaluate<string[]>(`api.readNats(${JSON.stringify(url)})`),
        close: () => server.remove(),
      };
    },
    async close() {},
  };
}

function streamsPath(parent: string): BenchPath {
  const manifest = fileOf('../../../node_modules/@durable-streams/server/package.json');
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  return {
    name: 'durable-streams',
    title: '`durableStreamsSink`; plain `POST`s',
    lack: undefined,
    versions: [`@durable-streams/server ${version}`],
    async start() {
      const { url, folder, server } = await startModule(
        parent,
        '../durable-streams-server.mjs',
        {},
      );
      return {
        target: { path: 'durable-streams', url: `http://${url}/streams`, topics: TOPICS },
        values: () => readStreams(`http://${url}`, path.join(folder, 'streams')),
        close: () => server.remove(),
      };
    },
    async close() {},
  };
}

async function readStreams(origin: string, folder: string): Promise<string[]> {
  const streams = new Set(readdirSync(folder).map((file) => decodeStreamPath(file.split('~')[0]!)));
  const values: string[] = [];
  for (const stream of streams) {
    let offset = '-1';
    for (let isEnd = false; !isEnd;) {
      const answer = await fetch(`${origin}${stream}?offset=${offset}`);
      const messages = (await answer.json()) as { records?: { value: string }[] }[];
      for (const { records = [] } of messages) values.push(...records.map(({ value }) => value));
      offset = answer.headers.get('stream-next-offset')!;
      isEnd = answer.headers.has('stream-up-to-date');
    }
  }
  return values;
}

function mirrorPath(parent: string): BenchPath {
  return {
    name: 'mirror',
    title: '`connectMirror` to a log in SQLite; a web socket, `sendBatch` in the server',
    lack: undefined,
    versions: [],
    async start(side, origin, partitions) {
      const module = side === 'tablog' ? '../../readme/copy-server.mjs' : 'servers/plain-log.mjs';
      const env = { PAGE: origin, PARTITIONS: String(partitions) };
      const { url, folder, server } = await startModule(parent, module, env);
      return {
        target: { path: 'mirror', url: `ws://${url}`, topics: TOPICS },
        async values() {
          await server.kill(); // a log in SQLite is one process's
          return readLog(path.join(folder, 'copy.db'));
        },
        close: () => server.remove(),
      };
    },
    async close() {},
  };
}

async function readLog(file: string): Promise<string[]> {
  const database = openDatabase(file);
  const log = await openLog('copy', { host: inline({ store: sqlite(database) }) });
  const name = TOPICS.measured;
  const [{ partitions }] = await log.admin.describeTopics([name]);
  const count = partitions.reduce((sum, { endOffset }) => sum + endOffset, 0);
  const values: string[] = [];
  const events = topic(name, { value: json<string>(), partitions: partitions.length });
  const consumer = log.consumer({ topics: [events], from: 'earliest' });
  for await (const { messages } of consumer.batches()) {
    values.push(...messages.map(({ value }) => value!));
    if (values.length >= count) break;
  }
  await log.close();
  database.close();
  return values;
}
