import { TablogError } from '../base/error.ts';
import { BatchWriter } from '../record/batch-writer.ts';
import type { RecordParts } from '../record/batch-writer.ts';
import type { CommitRequest } from '../protocol/group.ts';
import type { Connection } from './connection.ts';
import { Message } from './message.ts';
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
 * before it is processed.
 */
export async function bury(
  { connection, registry, topic }: Graveyard,
  { message, reader, handed }: Job,
  error: unknown,
  attempts: number,
): Promise<void> {
  const { hold } = reader;
  const letter = deadLetter(message, error, attempts);
  if (hold === undefined || handed === undefined) {
    const { id, partitions } = await registry.load(topic.name);
    const append = appendOf(letter, id, message.partition % partitions);
    await connection.call('transact', { appends: [append], durability: 'relaxed', commit: null });
    return;
  }
  await hold.isFirst(handed);
  const offset = message.offset + 1;
  const { member, topicId, partition, epoch } = hold;
  const commit: CommitRequest = {
    member,
    offsets: [{ topicId, partition, epoch, offset, metadata: '' }],
  };
  // Behind the commits that are under way, which are of earlier offsets.
  await hold.committer.alone(async () => {
    const { id, partitions } = await registry.load(topic.name);
    const append = (): ReturnType<typeof appendOf> =>
      appendOf(letter, id, message.partition % partitions);
    for (;;) {
      try {
        await connection.call('transact', { appends: [append()], durability: 'relaxed', commit });
        break;
      } catch (failure) {
        const isUnknown = failure instanceof TablogError && failure.code === 'OUTCOME_UNKNOWN';
        if (!isUnknown) throw failure;
        // The commit tells what became of both.
        const claims = [{ topicId, partition, epoch }];
        const request = { member, claims, from: { offset } };
        const [position] = await connection.call('positionPartitions', request);
        if (position!.offset >= offset) break;
      }
    }
    hold.committed = offset;
    hold.asked = offset;
  });
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

function appendOf(
  letter: RecordParts,
  topicId: string,
  partition: number,
): { topicId: string; partition: number; batch: ArrayBuffer; compression: 'none' } {
  const writer = new BatchWriter();
  writer.append(letter);
  return { topicId, partition, batch: writer.finish().buffer, compression: 'none' };
}
