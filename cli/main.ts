#!/usr/bin/env node
// `npx tablog`: what is in a log, as Kafka's console tools tell it.
import { readFileSync } from 'node:fs';
import { TablogError } from 'tablog';
import * as commands from './commands.ts';
import type { CommandContext } from './commands.ts';
import { consume } from './consume.ts';
import { InputError, UsageError, fail } from './fail.ts';
import { gateway } from './gateway.ts';
import { listSource, openSource } from './log-source.ts';
import { parse } from './options.ts';
import { Output } from './output.ts';
import { produce } from './produce.ts';

const USAGE = `tablog COMMAND FILE [options]

FILE is a SQLite database of tablog/sqlite, or a folder with Kafka log files, as
'export' and Kafka's brokers write them: orders-0/00000000000000000000.log

  logs       the names of the logs in FILE
  topics     the topics, with the number of their records
  describe   configurations, and the offsets of partitions   [--topic T]
  consume    the records of a topic                          --topic T [--partition P]
             [--from earliest|latest|OFFSET|DATE]  default: earliest, as --from-beginning;
                                                   a DATE as 2026-11-30 or 2026-11-30T12:00Z
             [--group G]          goes on where the group has committed, and commits
             [--follow]           waits for more; ends by Ctrl-C
             [--max-messages N]
  produce    a record for each line of the input             --topic T [--partition P]
             [--key-separator S]  splits a line into key and value
             [--partitions N]     creates the topic
             [--json]             each line as 'consume --json' writes it, with any of key, value,
                                  headers, timestamp and partition; bytes as {"base64": "…"}
  groups     the groups, or the offsets and the lag of one   [--group G]
  export     partitions as Kafka log files                   --out FOLDER [--topic T] [--partition P]
  import     Kafka log files into an empty partition         --topic T [--partition P]
             [--partitions N] LOGFILE...
  scrub      checks every stored batch and row               [--topic T]

tablog gateway: a server in front of Kafka; see tablog gateway --help

  --log NAME   which log, where FILE has several
  --create     begins FILE, or the log, where it is missing  (produce, import)
  --json       a line of JSON for each object
`;

interface Command {
  readonly run: (context: CommandContext) => Promise<unknown>;
  /** Its options, beside `--log` and `--json`. */
  readonly options: readonly string[];
  readonly writes?: true;
  /** Whether it is done in part where its output is not read to the end. */
  readonly hasEffect?: true;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  topics: { run: commands.topics, options: [] },
  describe: { run: commands.describe, options: ['topic'] },
  consume: {
    run: consume,
    options: ['topic', 'partition', 'from', 'from-beginning', 'group', 'follow', 'max-messages'],
  },
  produce: {
    run: produce,
    options: ['topic', 'partition', 'key-separator', 'partitions', 'create'],
    writes: true,
    hasEffect: true,
  },
  groups: { run: commands.groups, options: ['group'] },
  export: { run: commands.exportLog, options: ['out', 'topic', 'partition'], hasEffect: true },
  import: {
    run: commands.importLog,
    options: ['topic', 'partition', 'partitions', 'create'],
    writes: true,
    hasEffect: true,
  },
  scrub: { run: commands.scrub, options: ['topic'] },
};

/** Runs the command of the arguments; resolves to the exit code. */
async function main(): Promise<number> {
  if (process.argv[2] === 'gateway') return gateway(process.argv.slice(3));
  const { options, positionals, given } = parse();
  const [name, file, ...rest] = positionals;
  if (options.version) return say(`${version()}\n`);
  if (options.help || name === 'help') return say(USAGE);
  if (name === undefined) return (await say(USAGE)) + 2;
  const command = name === 'logs' ? LOGS : COMMANDS[name];
  if (command === undefined) {
    fail(
      `there is no command '${name}', and there are: logs, ${Object.keys(COMMANDS).join(', ')}; see tablog --help`,
    );
  }
  for (const option of given) {
    if ([...command.options, 'log', 'json'].includes(option)) continue;
    fail(`${name} has no option --${option}; see tablog --help`);
  }
  if (file === undefined) fail(`${name} needs the FILE of a log; see tablog --help`);
  if (rest.length > 0 && name !== 'import') {
    fail(`${name} takes one FILE, and got '${rest[0]}' too`);
  }
  const output = new Output(options.json, write);
  if (command === LOGS) {
    const logs = await listSource(file);
    await output.table(
      logs.map((log) => ({ log })),
      ['log'],
    );
    return 0;
  }
  const source = await openSource(file, {
    command: name,
    log: options.log,
    topic: options.topic,
    create: command.writes ? options.create : undefined,
  });
  const interrupted = new AbortController();
  for (const stop of ['SIGINT', 'SIGTERM'] as const) {
    process.once(stop, () => interrupted.abort()); // a second one ends the program
  }
  try {
    if (command.writes && !source.isKept) {
      fail(`${name} needs a SQLite file: '${file}' is a folder`);
    }
    const { log, faults } = source;
    const { signal } = interrupted;
    const isOk = await command.run({ log, faults, output, options, rest, signal });
    return isOk === false ? 1 : 0;
  } catch (error) {
    // A reader of the output that has enough, as `head` has, ends the command.
    if (isClosedPipe(error) && !command.hasEffect) return 0;
    throw error;
  } finally {
    await source.close();
  }
}

const LOGS: Command = { run: async () => {}, options: [] };

/** Resolves when the text is written. Rejects where nobody reads it any more, or the disk is full. */
function write(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

async function say(text: string): Promise<number> {
  await write(text);
  return 0;
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version;
}

function isClosedPipe(error: unknown): boolean {
  return (error as { readonly code?: unknown } | null)?.code === 'EPIPE';
}

/** As of a file that is missing, or a folder that cannot be written to. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && ('syscall' in error || error instanceof RangeError);
}

process.stdout.on('error', () => {}); // `write` rejects

try {
  process.exitCode = await main();
} catch (error) {
  const isKnown =
    error instanceof UsageError ||
    error instanceof InputError ||
    error instanceof TablogError ||
    isSystemError(error);
  process.stderr.write(
    `tablog: ${isKnown ? (error as Error).message : String((error as Error).stack)}\n`,
  );
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
