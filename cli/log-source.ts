import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  statSync,
} from 'node:fs';
import path from 'node:path';
import { openLog, topic as newTopic } from 'tablog';
import type { Log } from 'tablog';
import { inline } from 'tablog/inline';
import { sqlite } from 'tablog/sqlite';
import type { SqliteDatabase } from 'tablog/sqlite';
import { InputError, fail } from './fail.ts';
import type { FileFault } from './commands.ts';

/** A log that a command works on. */
export interface OpenedLog {
  readonly log: Log;
  /** The files of a folder that could not be read; only `scrub` goes on with the others. */
  readonly faults: readonly FileFault[];
  /** Whether what is written stays: not so for a folder of log files, which is read into memory. */
  readonly isKept: boolean;
  close(): Promise<void>;
}

export interface SourceOptions {
  readonly command: string;
  /** The topic that the command is about; `undefined`: all. */
  readonly topic: string | undefined;
  /** The name of the log in the database. */
  readonly log: string | undefined;
  /** Whether a database or a log that is missing is created; `undefined`: the command only reads. */
  readonly create: boolean | undefined;
}

type Connection = SqliteDatabase & { close(): unknown };

/** Opens the log of a SQLite file, or of a folder with a folder of Kafka log files a partition. */
export async function openSource(file: string, options: SourceOptions): Promise<OpenedLog> {
  const isThere = existsSync(file);
  if (isThere && statSync(file).isDirectory()) return openFolder(file, options);
  if (!isThere) {
    if (options.create === undefined) fail(`there is no file '${file}'`);
    if (!options.create) fail(`there is no file '${file}'; --create begins one`);
    if (options.log === undefined) fail('a new log needs a name: pass --log NAME');
  }
  const database = await openDatabase(file);
  try {
    const store = sqlite(database);
    const name = await nameOf(file, await store.list(), options);
    const log = await openLog(name, { host: inline({ store }) });
    return {
      log,
      faults: [],
      isKept: true,
      close: async () => {
        await log.close();
        database.close();
      },
    };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** The names of the logs in a SQLite file. */
export async function listSource(file: string): Promise<readonly string[]> {
  if (!existsSync(file)) fail(`there is no file '${file}'`);
  if (statSync(file).isDirectory()) fail(`'${file}' is a folder, which has one log without a name`);
  const database = await openDatabase(file);
  try {
    return await sqlite(database).list();
  } finally {
    database.close();
  }
}

async function nameOf(
  file: string,
  names: readonly string[],
  { log, create }: SourceOptions,
): Promise<string> {
  if (log !== undefined) {
    if (names.includes(log) || create === true) return log;
    fail(`'${file}' has no log '${log}', and has: ${names.join(', ') || 'none'}`);
  }
  if (names.length === 1) return names[0]!;
  if (names.length > 1) fail(`'${file}' has several logs: pass --log ${names.join(' or --log ')}`);
  return fail(
    `'${file}' has no log${create === undefined ? '' : ': --log NAME --create begins one'}`,
  );
}

const LIBRARIES: readonly (readonly [name: string, type: string])[] = [
  ['node:sqlite', 'DatabaseSync'],
  ['bun:sqlite', 'Database'],
  ['better-sqlite3', 'default'],
  ['libsql', 'default'],
];

/** Opens a database with the first SQLite that there is. */
async function openDatabase(file: string): Promise<Connection> {
  checkHeader(file);
  const broken: string[] = [];
  for (const [name, type] of LIBRARIES) {
    const loaded = (await import(name).catch(() => undefined)) as
      | Record<string, new (file: string) => Connection>
      | undefined;
    if (loaded === undefined) continue;
    try {
      return new loaded[type]!(file);
    } catch (error) {
      // As of a library that was installed and not compiled. SQLite's own errors are of the file.
      const { message } = error as Error;
      if (!/bindings|module/i.test(message)) throw new InputError(`'${file}': ${message}`);
      broken.push(`; ${name} does not load: ${message.split('\n')[0]}`);
    }
  }
  return fail(
    `there is no SQLite: use Node 22.13 or later, or run \`npm install libsql\`${broken.join('')}`,
  );
}

/** Ends the command for a file that is something else: a database begins with a name. */
function checkHeader(file: string): void {
  if (!existsSync(file)) return;
  const header = Buffer.alloc(16);
  const handle = openSync(file, 'r');
  const length = readSync(handle, header);
  closeSync(handle);
  if (length === 0 || header.toString('latin1').startsWith('SQLite format 3')) return;
  const folder = path.dirname(path.dirname(path.resolve(file)));
  const next = file.endsWith('.log') ? `: pass the folder of its partitions, '${folder}'` : '';
  fail(`'${file}' is no SQLite database${next}`);
}

interface PartitionFiles {
  readonly topic: string;
  readonly partition: number;
  readonly files: readonly string[];
}

/** The partitions in a folder, as `orders-0/00000000000000000000.log` is a file of one. */
function partitionsIn(folder: string): PartitionFiles[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const match = entry.isDirectory() ? /^(.+)-(\d+)$/.exec(entry.name) : null;
    if (match === null) return [];
    const place = path.join(folder, entry.name);
    const names = readdirSync(place).filter((name) => name.endsWith('.log'));
    if (names.length === 0) return [];
    const files = names.sort().map((name) => path.join(place, name));
    return [{ topic: match[1]!, partition: Number(match[2]), files }];
  });
}

/** Reads the files of a folder into a log in memory. */
async function openFolder(folder: string, options: SourceOptions): Promise<OpenedLog> {
  const partitions = partitionsIn(folder);
  if (partitions.length === 0) {
    const isOne = readdirSync(folder).some((name) => name.endsWith('.log'));
    const next = isOne ? `: pass the folder above it, '${path.dirname(path.resolve(folder))}'` : '';
    fail(
      `'${folder}' has no folders of Kafka log files, as 'orders-0/00000000000000000000.log' is one${next}`,
    );
  }
  const counts = new Map<string, number>();
  for (const { topic, partition } of partitions) {
    counts.set(topic, Math.max(counts.get(topic) ?? 0, partition + 1));
  }
  const log = await openLog('files', { host: inline({ storage: 'memory' }) });
  const faults: FileFault[] = [];
  try {
    await log.admin.createTopics(
      [...counts].map(([name, count]) => newTopic(name, { partitions: count })),
    );
    for (const { topic, partition, files } of partitions) {
      if (topic !== (options.topic ?? topic)) continue;
      // A partition without records has an empty file.
      const contents = files
        .map((file) => new Uint8Array(readFileSync(file)))
        .filter(({ length }) => length > 0);
      if (contents.length === 0) continue;
      try {
        await log.admin.importPartition({ topic, partition }, contents);
      } catch (error) {
        const file = files.length === 1 ? files[0]! : path.dirname(files[0]!);
        const { message } = error as Error;
        if (options.command !== 'scrub') throw new InputError(`${file}: ${message}`);
        faults.push({ file, topic, partition, message });
      }
    }
    return { log, faults, isKept: false, close: () => log.close() };
  } catch (error) {
    await log.close();
    throw error;
  }
}
