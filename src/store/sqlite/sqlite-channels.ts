import type { Channel, OpenChannel } from '../../platform/broadcast.ts';
import { cloneRow } from '../clone-row.ts';
import { decodeRow, encodeRow } from './row-value.ts';
import type { SqliteProcesses } from './sqlite-processes.ts';

/** After how many messages of this process those of before are deleted. */
const POSTS_A_SWEEP = 100;

type Listener = (event: MessageEvent<unknown>) => void;

/**
 * Channels between all who have a database open, as `BroadcastChannel` is between the tabs of an
 * origin: in one process at once, and to other processes by rows that they look for. A message can
 * get lost, as on every channel.
 */
export class SqliteChannels {
  readonly #processes: SqliteProcesses;
  readonly #open = new Map<string, Set<SqliteChannel>>();
  /** The newest message of other processes that was delivered here. */
  #seen: number | undefined;
  #posts = 0;

  constructor(processes: SqliteProcesses) {
    this.#processes = processes;
    processes.listen({ onChange: () => this.#receive(), onRejoined: () => {} });
  }

  readonly openChannel: Exclude<OpenChannel, null | undefined> = (name) => {
    const channels = this.#open.get(name) ?? new Set();
    this.#open.set(name, channels);
    const joined = this.#processes.join().then(() => (this.#seen ??= this.#newest()));
    joined.catch(() => {}); // a channel that reaches only this process
    const channel: SqliteChannel = new SqliteChannel({
      post: (message) => {
        for (const other of channels) if (other !== channel) other.receive(cloneRow(message));
        this.#post(name, message);
      },
      onClosed: () => {
        channels.delete(channel);
        if (channels.size === 0) this.#open.delete(name);
        void joined.then(
          () => this.#processes.leave(),
          () => {},
        );
      },
    });
    channels.add(channel);
    return channel;
  };

  #post(channel: string, message: unknown): void {
    const { driver, id, isAlone, clock } = this.#processes;
    if (isAlone || id === undefined) return;
    const body = encodeRow(message);
    if (typeof body !== 'string') return; // no message is a buffer alone
    const sql = 'INSERT INTO tablog_message (process, channel, body, at) VALUES (?, ?, ?, ?)';
    const now = clock.now();
    const isSweep = ++this.#posts % POSTS_A_SWEEP === 0;
    this.#processes
      .write(() => {
        driver.run(sql, id, channel, body, now);
        if (isSweep) this.#processes.deleteMessages();
      })
      .catch(() => {}); // a message that is lost
  }

  #receive(): void {
    if (this.#seen === undefined) return;
    const { driver, id } = this.#processes;
    const sql = `SELECT message, channel, body FROM tablog_message
      WHERE message > ? AND process <> ? ORDER BY message`;
    for (const { message, channel, body } of driver.all(sql, this.#seen, id ?? 0)) {
      this.#seen = message as number;
      for (const each of this.#open.get(channel as string) ?? []) each.receive(decodeRow(body));
    }
  }

  #newest(): number {
    const sql = 'SELECT max(message) AS message FROM tablog_message';
    return (this.#processes.driver.all(sql)[0]!['message'] as number | null) ?? 0;
  }
}

interface SqliteChannelOptions {
  readonly post: (message: unknown) => void;
  readonly onClosed: () => void;
}

class SqliteChannel implements Channel {
  readonly #options: SqliteChannelOptions;
  readonly #listeners = new Set<Listener>();
  #isClosed = false;

  constructor(options: SqliteChannelOptions) {
    this.#options = options;
  }

  postMessage(message: unknown): void {
    if (!this.#isClosed) this.#options.post(message);
  }

  addEventListener(_: 'message', listener: Listener): void {
    this.#listeners.add(listener);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.onClosed();
  }

  /** Delivers in a turn of its own, as a channel between threads does. */
  receive(data: unknown): void {
    queueMicrotask(() => {
      if (this.#isClosed) return;
      for (const listener of this.#listeners) listener({ data } as MessageEvent<unknown>);
    });
  }
}
