import { onTestFinished } from 'vitest';
import { PreparedDriver } from '../../../src/store/sqlite/prepared-driver.ts';
import { SqliteChannels } from '../../../src/store/sqlite/sqlite-channels.ts';
import type { SqliteDriver } from '../../../src/store/sqlite/sqlite-driver.ts';
import { SqliteLocks } from '../../../src/store/sqlite/sqlite-locks.ts';
import { SqliteProcesses } from '../../../src/store/sqlite/sqlite-processes.ts';
import { prepareDatabase } from '../../../src/store/sqlite/sqlite-tables.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { newDatabaseFile, openDatabase } from '../../support/sqlite-database.ts';
import { settle } from '../../support/waiting.ts';

/** A connection of its own to the database, as another process has it. */
export interface Process {
  readonly locks: SqliteLocks;
  readonly channels: SqliteChannels;
  readonly driver: SqliteDriver;
  /** Stands still until it moves, and so is silent. */
  readonly clock: ManualClock;
}

/** Some processes of one file. */
export class Machine {
  readonly #file: string;
  readonly #clocks: ManualClock[] = [];

  constructor(file: string = newDatabaseFile()) {
    this.#file = file;
  }

  start(): Process {
    const database = openDatabase(this.#file);
    onTestFinished(() => void database.close());
    const driver = new PreparedDriver(database);
    const clock = new ManualClock();
    this.#clocks.push(clock);
    const processes = new SqliteProcesses(driver, clock, () => prepareDatabase(driver));
    const locks = new SqliteLocks(processes);
    return { clock, driver, locks, channels: new SqliteChannels(processes) };
  }

  /** Lets time pass for all processes but those that stand still. */
  async pass(ms: number, ...still: readonly Process[]): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10) {
      for (const clock of this.#clocks) {
        if (!still.some((each) => each.clock === clock)) clock.advance(10);
      }
      await settle();
    }
  }
}
