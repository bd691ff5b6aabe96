import { TablogError } from '../base/error.ts';
import { BatchWriter } from '../record/batch-writer.ts';
import type { RecordParts } from '../record/batch-writer.ts';
import type { Append } from '../protocol/broker.ts';
import type { CommitRequest } from '../protocol/group.ts';
import type { Connection } from './connection.ts';
import { toCommit } from './hold.ts';
import { Message } from './message.ts';
import { isFenced } from './offset-committer.ts';
import type { Topic } from './topic.ts';
import type { TopicRegistry } from './topic-registry.ts';
import type { Job } from './turns.ts';

export interface Graveyard {
  readonly connection: Connection;
  readonly registry: TopicRegistry;
  readonly topic: Topic;
}

/** Longer texts of errors are cut. */
const MAX_ERROR_LENGTH = 1000;

/**
 * Stores a message in the dead letter topic, byte for byte, with headers that tell where it was and
 * why; where there is a group, in one transaction with its commit. So it waits until every message
 * before it is processed. `false`: the message is not this consumer's any more, and nothing is stored.
 */
export async function bury(
  { connection, registry, topic }: Graveyard,
  { message, reader, handed }: Job,
  error: unknown,
  attempts: number,
): Promise<boolean> {
  const { hold } = reader;
  const store = async (commit: CommitRequest | null): Promise<void> => {
    const { id, partitions } = await registry.load(topic.name);
    const writer = new BatchWriter();
    writer.append(deadLetter(message, error, attempts));
    const append: Append = {
      topicId: id,
      partition: message.partition % partitions,
      batch: writer.finish().buffer,
      compression: 'none',
    };
    const commits = commit === null ? [] : [commit];
    const request = { appends: [append], durability: 'relaxed', commits, producer: null } as const;
    await connection.call('transact', request);
  };
  if (hold === undefined || handed === undefined) {
    await store(null);
    return true;
  }
  const { restarts } = hold;
  // Behind the commits that are under way: none of them is to be overtaken.
  const buried = async (): Promise<boolean> => {
    if (!(await hold.isFirst(handed))) return false;
    const { member, topicId, partition, epoch } = hold;
    const claim = { topicId, partition, epoch };
    const offset = Math.max(handed.next, hold.committed);
    for (;;) {
      try {
        await store({ member, offsets: [toCommit(hold, offset)] });
        break;
      } catch (failure) {
        if (isFenced(failure)) return false;
        if (!(failure instanceof TablogError) || failure.code !== 'OUTCOME_UNKNOWN') throw failure;
        // The commit tells what became of both.
        const request = { member, claims: [claim], from: { offset } };
        const [position] = await connection.call('positionPartitions', request);
        if (position!.offset >= offset) break;
      }
    }
    if (hold.restarts === restarts) hold.committed = offset;
    return true;
  };
  // Not while it keeps the commits of those before it; from then on it is the one to be next.
  if (!(await hold.isFirst(handed))) return false;
  hold.asked = Math.max(hold.asked, handed.next);
  hold.transactions++;
  try {
    return await hold.committer.alone(buried);
  } finally {
    hold.transactions--;
    if (hold.restarts === restarts) hold.asked = hold.committed;
  }
}

function deadLetter(message: Message, error: unknown, attempts: number): RecordParts {
  const parts = Message.partsOf(message);
  const told = {
    'tablog.topic': message.topic,
    'tablog.partition': message.partition,
    'tablog.offset': message.offset,
    'tablog.attempts': attempts,
    'tablog.error': String(error).slice(0, MAX_ERROR_LENGTH),
  };
  const headers = Object.entries(told).map(([name, value]) => [name, String(value)] as const);
  return { ...parts, headers: [...parts.headers, ...headers] };
}
