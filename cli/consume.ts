import type { Consumer, Message, PartitionDescription, Position } from 'tablog';
import { mustHaveTopic } from './commands.ts';
import type { CommandContext } from './commands.ts';
import { fail } from './fail.ts';
import { shown, textOf } from './output.ts';

type PlainConsumer = Consumer<string>;
type PlainMessage = Message<string, unknown, Uint8Array>;

/** How often a member of a group looks whether it has read all, in milliseconds. */
const LOOK_MS = 200;

/** Writes the records of a topic, up to its end or, with --follow, as they come. */
export async function consume(context: CommandContext): Promise<void> {
  const { log, options, signal } = context;
  const topic = options.topic ?? fail('consume needs --topic NAME');
  const { group, partition, follow, 'max-messages': most = Infinity } = options;
  const isPlaced = partition !== undefined || options.from !== undefined;
  if (group !== undefined && (isPlaced || options['from-beginning'])) {
    fail(
      'a group begins where it has committed, in all partitions: leave --partition and --from out',
    );
  }
  const from = positionOf(options.from ?? 'earliest');
  await mustHaveTopic(log, topic);
  const [{ partitions }] = await log.admin.describeTopics([topic]);
  if (partition !== undefined && partitions[partition] === undefined) {
    fail(`the topic '${topic}' has no partition ${partition}, and has ${partitions.length}`);
  }
  const isWanted = (each: number): boolean => partition === undefined || each === partition;
  const wanted = partitions.filter((each) => isWanted(each.partition));
  const consumer = log.consumer({
    topics: [topic],
    from: 'earliest',
    ...(group !== undefined && { group }),
  });
  const stop = (): void => void consumer.close();
  signal.addEventListener('abort', stop);
  const end = follow ? undefined : new End(consumer, wanted);
  let cancel = (): void => {};
  try {
    await consumer.ready;
    if (group === undefined) await begin(consumer, topic, wanted, from);
    if (most === 0 || end?.isReached === true) return;
    // The last of its partitions can move to another member, which then reads it to the end.
    if (group !== undefined && end !== undefined) {
      const timer = setInterval(() => end.isReached && stop(), LOOK_MS);
      cancel = () => clearInterval(timer);
    }
    let count = 0;
    for await (const message of consumer) {
      if (isWanted(message.partition)) {
        await write(context, message);
        count++;
      }
      if (count < most && end?.isPassed(message) !== true) continue;
      // A message is finished when the next one is asked for, and this is the last.
      if (group !== undefined) await message.commit();
      break;
    }
  } finally {
    cancel();
    signal.removeEventListener('abort', stop);
    await consumer.close();
  }
}

/** The ends of the partitions when the command began. */
class End {
  readonly #consumer: PlainConsumer;
  readonly #ends: ReadonlyMap<number, number>;

  constructor(consumer: PlainConsumer, partitions: readonly PartitionDescription[]) {
    this.#consumer = consumer;
    this.#ends = new Map(partitions.map(({ partition, endOffset }) => [partition, endOffset]));
  }

  /** Whether the consumer has read all partitions that it has. */
  get isReached(): boolean {
    return this.#consumer.assignment.every((place) => {
      return this.#consumer.position(place) >= this.#endOf(place.partition);
    });
  }

  /** The same after a message, which looks at all partitions only at the end of one. */
  isPassed({ partition, offset }: PlainMessage): boolean {
    return offset + 1 >= this.#endOf(partition) && this.isReached;
  }

  /** Of a partition that nobody asked for nothing is waited for. */
  #endOf(partition: number): number {
    return this.#ends.get(partition) ?? 0;
  }
}

/** Moves to where the reading begins; an offset out of a partition's range is the nearest in it. */
async function begin(
  consumer: PlainConsumer,
  topic: string,
  partitions: readonly PartitionDescription[],
  from: Position,
): Promise<void> {
  for (const { partition, startOffset, endOffset } of partitions) {
    const to = typeof from === 'number' ? Math.min(Math.max(from, startOffset), endOffset) : from;
    await consumer.seek(to, { topic, partition });
  }
}

function write({ output }: CommandContext, message: PlainMessage): Promise<void> {
  const { topic, partition, offset, timestamp } = message;
  const key = textOf(message.key as Uint8Array | null);
  const value = textOf(message.value);
  const headers = message.headers.map(([name, bytes]) => [name, textOf(bytes)]);
  return output.item(
    { topic, partition, offset, timestamp, key, value, headers },
    `${partition}:${offset}  ${new Date(timestamp).toISOString()}  ${shown(key)}  ${shown(value)}`,
  );
}

function positionOf(text: string): Position {
  if (text === 'earliest' || text === 'latest') return text;
  if (/^\d+$/.test(text)) return Number(text);
  const date = new Date(text);
  if (/^\d{4}-\d\d/.test(text) && !Number.isNaN(date.getTime())) return date;
  return fail(`--from must be earliest, latest, an offset or a date, got '${text}'`);
}
