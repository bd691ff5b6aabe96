import type { Clock } from '../../platform/clock.ts';
import type { SqliteDriver } from './sqlite-driver.ts';
import { whenUnlocked } from './when-unlocked.ts';

/** How often a process looks for what others have written, in milliseconds. */
const LOOK_MS = 10;
/** The same while no other process has the database open. */
const LOOK_ALONE_MS = 100;
/** How often a process gives its sign of life while others have the database open. */
const BEAT_MS = 500;
/** The looks, each `BEAT_MS` after the last, in which a process was silent that is taken for dead. */
const MISSED_BEATS = 6;

/** How long a message can be read by other processes, in milliseconds. */
const MESSAGE_MS = 10_000;

interface Listener {
  /** Other processes have written to the database. */
  onChange(): void;
  /** The others have taken this process for dead; its id is another one now. */
  onRejoined(): void;
}

/**
 * The processes that have one database open. SQLite tells a connection that another one has written,
 * by `PRAGMA data_version`, and only when asked: https://sqlite.org/pragma.html#pragma_data_version
 *
 * A process that writes no sign of life is taken for dead by those who see so at several looks,
 * whatever their clocks say. One that was merely suspended goes on under another id: signs of life
 * decide nothing but who is waited for.
 */
export class SqliteProcesses {
  readonly driver: SqliteDriver;
  readonly clock: Clock;
  readonly #ready: () => void;
  readonly #listeners = new Set<Listener>();
  #id: number | undefined;
  #joining: Promise<void> | undefined;
  #users = 0;
  #others: ReadonlyMap<number, { readonly beat: number; readonly missed: number }> = new Map();
  #version: unknown;
  #msSinceBeat = 0;
  #cancelLook: (() => void) | undefined;

  /** `ready` creates the tables. */
  constructor(driver: SqliteDriver, clock: Clock, ready: () => void) {
    this.driver = driver;
    this.clock = clock;
    this.#ready = ready;
  }

  /** The id of this process; no process gets one twice. */
  get id(): number | undefined {
    return this.#id;
  }

  get isAlone(): boolean {
    return this.#others.size === 0;
  }

  listen(listener: Listener): void {
    this.#listeners.add(listener);
  }

  /** Makes this process known, until as many `leave` as there were `join`. */
  async join(): Promise<void> {
    this.#users++;
    this.#joining ??= this.#enter();
    try {
      await this.#joining;
    } catch (error) {
      this.#joining = undefined;
      this.leave();
      throw error;
    }
  }

  leave(): void {
    if (--this.#users > 0) return;
    const joining = this.#joining;
    const exit = (): void => {
      if (this.#users === 0 && this.#joining === joining) this.#exit();
    };
    joining?.then(exit, () => {}); // who failed to join has nothing to leave
  }

  #exit(): void {
    this.#cancelLook?.();
    this.#joining = undefined;
    const id = this.#id!;
    this.#id = undefined;
    this.#others = new Map();
    // Where the database is closed already, the others miss the signs of life.
    this.write(() => this.#bury([id])).catch(() => {});
  }

  /** Writes in a transaction, as soon as no other connection is amid one. */
  write<T>(work: () => T): Promise<T> {
    return whenUnlocked(this.clock, () => this.driver.transaction(work, 'relaxed'));
  }

  async #enter(): Promise<void> {
    await whenUnlocked(this.clock, this.#ready);
    this.#id = await this.write(() => {
      this.deleteMessages();
      // A database that nobody else can open has no other processes, but may have rows of the last one.
      if (!this.driver.isShared) this.#bury(this.#processes().map(({ process }) => process));
      this.driver.run('INSERT INTO tablog_process (beat) VALUES (0)');
      return this.driver.all('SELECT max(process) AS id FROM tablog_process')[0]!['id'] as number;
    });
    if (!this.driver.isShared) return;
    this.#msSinceBeat = 0;
    this.#countBeats();
    this.#lookLater();
  }

  #lookLater(): void {
    const id = this.#id;
    const ms = this.isAlone ? LOOK_ALONE_MS : LOOK_MS;
    this.#cancelLook = this.clock.after(ms, () => {
      this.#msSinceBeat += ms;
      this.#look()
        .catch(() => {}) // what was missed is seen at the next look, or with the next open
        .finally(() => {
          if (this.#id === id) this.#lookLater();
        });
    });
  }

  async #look(): Promise<void> {
    const version = this.driver.all('PRAGMA data_version')[0]!['data_version'];
    const isChanged = version !== this.#version;
    this.#version = version;
    if (isChanged && this.isAlone) this.#countBeats();
    if (!this.isAlone && this.#msSinceBeat >= BEAT_MS) await this.#beat();
    if (isChanged) for (const listener of this.#listeners) listener.onChange();
  }

  async #beat(): Promise<void> {
    this.#msSinceBeat = 0;
    const id = this.#id!;
    const isAlive = await this.write(() => {
      this.driver.run('UPDATE tablog_process SET beat = beat + 1 WHERE process = ?', id);
      return this.#processes().some(({ process }) => process === id);
    });
    if (this.#id !== id) return;
    if (!isAlive) {
      await this.#enter();
      for (const listener of this.#listeners) listener.onRejoined();
      return;
    }
    this.#countBeats();
    const dead = [...this.#others].filter(([, { missed }]) => missed >= MISSED_BEATS);
    if (dead.length === 0) return;
    await this.write(() => this.#bury(dead.map(([process]) => process)));
    this.#countBeats();
    for (const listener of this.#listeners) listener.onChange();
  }

  /** Counts at how many looks in a row each other process was silent. */
  #countBeats(): void {
    const known = this.#others;
    this.#others = new Map(
      this.#processes()
        .filter(({ process }) => process !== this.#id)
        .map(({ process, beat }) => {
          const before = known.get(process);
          return [process, { beat, missed: before?.beat === beat ? before.missed + 1 : 0 }];
        }),
    );
  }

  #processes(): { readonly process: number; readonly beat: number }[] {
    return this.driver.all('SELECT process, beat FROM tablog_process') as never;
  }

  /** Deletes what was said long ago, within the caller's transaction. */
  deleteMessages(): void {
    this.driver.run('DELETE FROM tablog_message WHERE at < ?', this.clock.now() - MESSAGE_MS);
  }

  /** A process's messages stay: what it said before it went is to be heard. */
  #bury(processes: readonly number[]): void {
    for (const process of processes) {
      this.driver.run('DELETE FROM tablog_process WHERE process = ?', process);
      this.driver.run('DELETE FROM tablog_lock WHERE process = ?', process);
    }
  }
}
