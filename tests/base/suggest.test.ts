import { describe, expect, test } from 'vitest';
import { suggestion } from '../../src/base/suggest.ts';

const CONSUMER = [
  'topics',
  'from',
  'mustExist',
  'group',
  'memberId',
  'sessionTimeoutMs',
  'maxWaitMs',
];
const PRODUCER = ['lingerMs', 'batchBytes', 'compression', 'durability', 'partitioner'];
const RECORD = ['key', 'value', 'headers', 'partition', 'timestamp'];

describe('a name that somebody may have meant', () => {
  test.each([
    ['groupId', CONSUMER, 'did you mean group?'],
    ['fromBeginning', CONSUMER, "did you mean from: 'earliest'?"],
    ['topic', CONSUMER, 'did you mean topics?'],
    ['eachMessage', CONSUMER, 'did you mean consumer.run({ eachMessage })?'],
    ['sessionTimeout', CONSUMER, 'did you mean sessionTimeoutMs?'],
    ['maxWait', CONSUMER, 'did you mean maxWaitMs?'],
    ['acks', PRODUCER, 'did you mean durability?'],
    ['compresion', PRODUCER, 'did you mean compression?'],
    ['linger', PRODUCER, 'did you mean lingerMs?'],
    ['LINGERMS', PRODUCER, 'did you mean lingerMs?'],
    ['clientId', PRODUCER, 'leave it out, there is no server.'],
    ['brokers', ['host', 'workerUrl'], 'leave it out, there is no server.'],
    ['header', RECORD, 'did you mean headers?'],
    ['messages', RECORD, 'did you mean sendBatch(topic, records)?'],
    ['acks', RECORD, ''],
    ['partitions', RECORD, 'did you mean partition?'],
    ['partitions', ['cleanup'], 'did you mean admin.createPartitions()?'],
    ['autoCommit', [...CONSUMER, 'commit'], 'did you mean commit?'],
    ['numPartitions', ['partitions'], 'did you mean partitions?'],
    ['values', RECORD, 'did you mean value?'],
  ])('%s', (name, known, meant) => {
    expect(suggestion(name, known)).toBe(meant);
  });

  test.each(['x', 'to', 'toString', '__proto__', 'constructor', 'colour', ''])(
    'and one that nobody can: %j',
    (name) => {
      for (const known of [CONSUMER, PRODUCER, RECORD]) expect(suggestion(name, known)).toBe('');
    },
  );
});
