import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DurableStreamTestServer } from '@durable-streams/server';
import { onTestFinished } from 'vitest';
import type { Sink, SinkBatch, SinkRecord, SinkSource } from '../../src/connect.ts';
import { durableStreamsSink } from '../../src/durable-streams.ts';
import type {
  BookmarkStorage,
  DurableStreamsMessage,
  DurableStreamsSinkOptions,
} from '../../src/durable-streams.ts';
import type { WalkTarget } from './connector-walk.ts';
import type { Fault } from './fake-target.ts';

export const source: SinkSource = {
  id: 'server/a1-b2/0',
  connector: 'server',
  log: 'shop',
  topic: 'orders',
  partition: 0,
};
export const context = { signal: new AbortController().signal, next: 0 };

/** The records of offsets, whose values are their offsets. */
export function batchOf(from: number, to: number): SinkBatch {
  const records = Array.from({ length: to - from }, (_, i): SinkRecord => ({
    id: `a1-b2-0-${from + i}`,
    topic: 'orders',
    offset: from + i,
    timestamp: 1_700_000_000_000,
    key: null,
    value: from + i,
    headers: [],
  }));
  return { source, from, to, records };
}

/** The reference server of the protocol, and the network before it. */
export class StreamServer implements WalkTarget {
  #server: DurableStreamTestServer;
  readonly #dataDir: string | undefined;
  readonly #port: number;
  /** Every request that was sent, as its method and what follows the URL's `?`. */
  readonly requests: string[] = [];
  /** What becomes of the next requests, one after the other; then everything is well. */
  readonly faults: Fault[] = [];
  /** How long a request is on its way, whoever has given it up meanwhile. */
  delay: () => Promise<void> = async () => {};

  private constructor(server: DurableStreamTestServer, dataDir: string | undefined) {
    this.#server = server;
    this.#dataDir = dataDir;
    this.#port = Number(new URL(server.url).port);
  }

  /** 'memory': what is stored is gone with the server. */
  static async start(storage: 'memory' | 'files' = 'memory'): Promise<StreamServer> {
    const isKept = storage === 'files';
    const dataDir = isKept ? mkdtempSync(path.join(tmpdir(), 'tablog-streams-')) : undefined;
    const server = new StreamServer(await started(0, dataDir), dataDir);
    onTestFinished(async () => {
      await server.#server.stop();
      if (dataDir !== undefined) rmSync(dataDir, { recursive: true });
    });
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Another server in its place, over the same files. */
  async restart(): Promise<void> {
    await this.#server.stop();
    this.#server = await started(this.#port, this.#dataDir);
    // Until the connections to the one before are known to be gone.
    while (
      !(await fetch(this.url).then(
        () => true,
        () => false,
      ))
    );
  }

  /** The server forgets all producers, as it does when they were not heard of for 7 days. */
  forgetProducers(): void {
    const { store } = this.#server;
    for (const stream of store.list()) {
      (store.get(stream) as { producers?: Map<string, unknown> }).producers?.clear();
    }
  }

  disturb(): void {
    this.forgetProducers();
  }

  deleteAll(): void {
    this.#server.clear();
  }

  /** A sink through this network. */
  sink(options: Partial<DurableStreamsSinkOptions> = {}): Sink {
    return durableStreamsSink({ url: this.url, fetch: this.fetch, bookmarks: null, ...options });
  }

  /** A request of the test itself. */
  ask(method: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.url}/${source.id}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  /** The messages of all streams, or of one. */
  async messages(of: string = source.id): Promise<DurableStreamsMessage[]> {
    const answer = await fetch(`${this.url}/${of}`);
    return answer.ok ? ((await answer.json()) as DurableStreamsMessage[]) : [];
  }

  /** The values of the records of a stream. */
  async values(of: string = source.id): Promise<unknown[]> {
    const messages = await this.messages(of);
    return messages.flatMap(({ records = [] }) => records.map(({ value }) => value));
  }

  async valuesOf(partition: number): Promise<readonly unknown[]> {
    const id = this.streams.find((each) => each.endsWith(`/${partition}`));
    return id === undefined ? [] : this.values(id);
  }

  /** The ids of the sources that have streams. */
  get streams(): string[] {
    return this.#server.store.list().map((each) => each.slice(1));
  }

  readonly fetch: typeof fetch = async (url, init) => {
    // Whoever aborts a request cannot stop it on its way.
    const { signal, ...sent } = init!;
    const { method, url: to } = new Request(url, sent);
    this.requests.push(`${method} ${new URL(to).search.slice(1)}`.trim());
    const fault = this.faults.shift() ?? 'none';
    if (fault instanceof Response) return fault.clone();
    if (fault === 'requestLost') throw new TypeError('fetch failed');
    const answered = this.delay().then(() => fetch(url, sent));
    const givenUp = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error));
    });
    const answer = await Promise.race([answered, givenUp]);
    if (fault === 'answerLost') throw new TypeError('connection reset');
    return answer;
  };
}

async function started(port: number, dataDir?: string): Promise<DurableStreamTestServer> {
  const options = { port, longPollTimeout: 50, ...(dataDir !== undefined && { dataDir }) };
  const server = new DurableStreamTestServer(options);
  await server.start();
  return server;
}

/** A storage as `localStorage` is. */
export class FakeStorage implements BookmarkStorage {
  readonly items = new Map<string, string>();

  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.items.set(key, value);
  }
}
