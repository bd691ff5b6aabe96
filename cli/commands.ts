import {
  createWriteStream,
  existsSync,
  mkdirSync,
  openAsBlob,
  renameSync,
  statSync,
} from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { topic as newTopic } from 'tablog';
import type { Log } from 'tablog';
import { fail } from './fail.ts';
import type { CommandOptions } from './options.ts';
import type { Output } from './output.ts';

/** A file of a folder that is no sound part of a log. */
export interface FileFault {
  readonly file: string;
  readonly topic: string;
  readonly partition: number;
  readonly message: string;
}

/** What a command works with. */
export interface CommandContext {
  readonly log: Log;
  /** What could not be read of the log's files. */
  readonly faults: readonly FileFault[];
  readonly output: Output;
  readonly options: CommandOptions;
  /** The arguments behind the file. */
  readonly rest: readonly string[];
  /** Aborts when the command is interrupted. */
  readonly signal: AbortSignal;
}

/** A file of several partitions has a folder for each, and a segment is named by its first offset. */
const SEGMENT = `${'0'.repeat(20)}.log`;

export async function topics({ log, output }: CommandContext): Promise<void> {
  const infos = await log.admin.listTopics();
  const described = await log.admin.describeTopics(infos.map(({ name }) => name));
  await output.table(
    described.map(({ name, partitions }) => ({
      topic: name,
      partitions: partitions.length,
      records: partitions.reduce(
        (sum, { startOffset, endOffset }) => sum + endOffset - startOffset,
        0,
      ),
      bytes: partitions.reduce((sum, { bytes }) => sum + bytes, 0),
    })),
    ['topic', 'partitions', 'records', 'bytes'],
  );
}

export async function describe(context: CommandContext): Promise<void> {
  const { log, output } = context;
  const described = await log.admin.describeTopics(await topicNames(context));
  for (const { name, config } of described) {
    await output.item({ topic: name, config }, `${name}: ${JSON.stringify(config)}`);
  }
  await output.table(
    described.flatMap(({ name, partitions }) =>
      partitions.map((partition) => ({ topic: name, ...partition })),
    ),
    ['topic', 'partition', 'startOffset', 'endOffset', 'bytes', 'segments'],
  );
}

export async function groups({ log, output, options }: CommandContext): Promise<void> {
  const listed = await log.admin.listGroups();
  if (options.group === undefined) {
    await output.table(
      listed.map(({ group, state, members }) => ({ group, state, members })),
      ['group', 'state', 'members'],
    );
    return;
  }
  const names = listed.map(({ group }) => group);
  if (!names.includes(options.group)) fail(missing('group', options.group, names));
  const [{ group, partitions }] = await log.admin.describeGroups([options.group]);
  await output.table(
    partitions.map((each) => ({ group, ...each })),
    ['group', 'topic', 'partition', 'committedOffset', 'endOffset', 'lag', 'owner'],
    // The words of kafka-consumer-groups.
    { committedOffset: 'CURRENT-OFFSET', endOffset: 'LOG-END-OFFSET', owner: 'CONSUMER-ID' },
  );
}

export async function exportLog(context: CommandContext): Promise<void> {
  const { log, output, options } = context;
  const out = options.out ?? fail('export needs --out FOLDER');
  const described = await log.admin.describeTopics(await topicNames(context));
  const places = described
    .flatMap(({ name, partitions }) =>
      partitions.map(({ partition }) => ({ topic: name, partition })),
    )
    .filter(({ partition }) => partition === (options.partition ?? partition))
    .map((place) => ({
      place,
      file: path.join(out, `${place.topic}-${place.partition}`, SEGMENT),
    }));
  const there = places.find(({ file }) => existsSync(file));
  if (there !== undefined) fail(`there is a file '${there.file}': pass an --out that is empty`);
  for (const { place, file } of places) {
    mkdirSync(path.dirname(file), { recursive: true });
    const stream = log.admin.exportPartition(place);
    // Under its own name only when it is whole.
    const part = `${file}.part`;
    await pipeline(Readable.fromWeb(stream as ReadableStream), createWriteStream(part), {
      signal: context.signal,
    });
    renameSync(part, file);
    await output.item({ ...place, file }, file);
  }
}

export async function importLog({ log, output, options, rest }: CommandContext): Promise<void> {
  const topic = options.topic ?? fail('import needs --topic NAME');
  const { partition = 0, partitions } = options;
  if (rest.length === 0) fail('import needs the Kafka log files of a partition');
  for (const file of rest) {
    if (statSync(file).isDirectory()) fail(`'${file}' is a folder: pass the .log files in it`);
  }
  if (partitions !== undefined) await createTopic(log, topic, partitions);
  await mustHaveTopic(log, topic, '--partitions N creates it');
  const files = await Promise.all(rest.map((file) => openAsBlob(file)));
  const imported = await log.admin.importPartition({ topic, partition }, files);
  const { startOffset, endOffset } = imported;
  await output.item(imported, `${topic} ${partition}: offsets ${startOffset} to ${endOffset - 1}`);
}

/** Returns whether the log is sound. */
export async function scrub(context: CommandContext): Promise<boolean> {
  const { log, output, options, signal } = context;
  const topics = options.topic === undefined ? {} : { topics: await topicNames(context) };
  const { partitions, faults } = await log.admin.scrub({ ...topics, signal });
  await output.table(
    [...partitions].map((each) => ({ ...each })),
    ['topic', 'partition', 'batches', 'records', 'bytes'],
  );
  for (const fault of context.faults) {
    await output.item(fault, `${fault.topic} ${fault.partition}: ${fault.file}: ${fault.message}`);
  }
  for (const fault of faults) {
    const { topic, partition, from, to, message } = fault;
    await output.item(
      fault,
      `${topic ?? 'the log'} ${partition ?? ''} ${from ?? ''}-${to ?? ''}: ${message}`,
    );
  }
  const isSound = faults.length === 0 && context.faults.length === 0;
  if (isSound) await output.item({ faults: 0 }, 'no faults');
  return isSound;
}

/** Creates a topic, unless there is one with as many partitions. */
export async function createTopic(log: Log, topic: string, partitions: number): Promise<void> {
  const there = (await log.admin.listTopics()).find(({ name }) => name === topic);
  if (there === undefined) await log.admin.createTopics([newTopic(topic, { partitions })]);
  else if (there.partitions !== partitions) {
    fail(
      `the topic '${topic}' is there, with ${there.partitions} partitions: leave --partitions out`,
    );
  }
}

/** Ends the command where there is no such topic. `next`: what can be done. */
export async function mustHaveTopic(log: Log, topic: string, next?: string): Promise<void> {
  const names = (await log.admin.listTopics()).map(({ name }) => name);
  if (!names.includes(topic)) {
    fail(`${missing('topic', topic, names)}${next === undefined ? '' : `; ${next}`}`);
  }
}

function missing(what: string, name: string, names: readonly string[]): string {
  const all = names.length === 0 ? 'none at all' : names.join(', ');
  return `there is no ${what} '${name}', and there ${names.length === 1 ? 'is' : 'are'}: ${all}`;
}

async function topicNames({ log, options }: CommandContext): Promise<readonly string[]> {
  if (options.topic === undefined) return (await log.admin.listTopics()).map(({ name }) => name);
  await mustHaveTopic(log, options.topic);
  return [options.topic];
}
