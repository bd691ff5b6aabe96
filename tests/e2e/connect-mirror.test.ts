import path from 'node:path';
import { openLog } from '../../src/index.ts';
import { inline } from '../../src/inline.ts';
import { describeMirrors } from '../../src/mirror.ts';
import type { MirrorDescription } from '../../src/mirror.ts';
import { sqlite } from '../../src/sqlite.ts';
import { openDatabase } from '../support/sqlite-database.ts';
import { freePort } from '../support/ports.ts';
import { testRuns } from './connect-run.ts';
import type { Server } from './connect-run.ts';
import type { Target } from './page/connector.ts';
import { ReadmeServer } from './readme-server.ts';

/** A log in SQLite that has mirrors. */
class Mirror extends ReadmeServer implements Server {
  get target(): Target {
    return { kind: 'mirror', url: `ws://127.0.0.1:${this.port}` };
  }

  /** The values at each offset, which are also where the page has them. */
  async stored(): Promise<readonly number[]> {
    const database = openDatabase(path.join(this.folder, 'copy.db'));
    const log = await openLog('copy', { host: inline({ store: sqlite(database) }) });
    const [{ topic }] = (await describeMirrors(log)) as [MirrorDescription];
    const [{ partitions }] = await log.admin.describeTopics([topic]);
    const left = new Map(partitions.map(({ partition, endOffset }) => [partition, endOffset]));
    const numbers: number[] = [];
    const consumer = log.consumer({ topics: [topic], from: 'earliest' });
    const isDone = (): boolean => [...left.values()].every((count) => count === 0);
    for await (const { partition, offset, value } of consumer) {
      const number = Number(new TextDecoder().decode(value as Uint8Array));
      if (offset !== Math.floor(number / partitions.length)) {
        throw new Error(`${number} is at the offset ${offset} of the mirror`);
      }
      numbers.push(number);
      left.set(partition, left.get(partition)! - 1);
      if (isDone()) break;
    }
    await log.close();
    database.close();
    return numbers;
  }
}

testRuns('a mirror', async (origin) => new Mirror('copy-server.mjs', await freePort(), origin));
