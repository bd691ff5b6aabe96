import type { Message } from '../client/message/message.ts';
import type { Producer } from '../client/producer/producer.ts';
import type { CheckedConnectOptions } from './connect-options.ts';
import { SinkError } from './sink/sink-error.ts';

/** Does with a record that the target refuses what the options say. Throws where that is 'stop'. */
export async function settleRefused(
  producer: Producer,
  { onRefused, deadLetterTopic }: CheckedConnectOptions,
  { topic, partition, offset, key, value, headers }: Message,
  error: SinkError,
): Promise<void> {
  if (onRefused === 'skip') return;
  if (onRefused === 'stop') {
    const what = `the target refuses offset ${offset} of ${topic} ${partition}: ${error.message}`;
    throw new SinkError('fatal', what, { cause: error });
  }
  await producer.send(deadLetterTopic as string, {
    key: key as string,
    value: value as string,
    headers: [
      ...headers,
      ['tablog.topic', topic],
      ['tablog.partition', String(partition)],
      ['tablog.offset', String(offset)],
      ['tablog.error', error.message.slice(0, 1000)],
    ],
  });
}
