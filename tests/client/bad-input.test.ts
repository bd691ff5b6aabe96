import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { json, openLog, string, topic } from '../../src/index.ts';
import type { Consumer, Log, Producer } from '../../src/index.ts';
import { inline } from '../../src/inline.ts';
import { memoryStore } from '../../src/store/memory-store-factory.ts';
import { countOf, memoryHost } from '../support/log-fixture.ts';

/** Whatever a caller without types may pass. */
const wrong = (value: unknown): never => value as never;

interface Untyped {
  send(...given: unknown[]): unknown;
  sendBatch(...given: unknown[]): unknown;
}

const typed = topic('typed', { key: string(), value: json<{ id: string }>(), partitions: 2 });

let log: Log;
let producer: Producer;
let consumer: Consumer<'plain'>;

beforeAll(async () => {
  log = await openLog('bad-input', { host: memoryHost() });
  await log.admin.createTopics([typed, 'plain']);
  producer = log.producer();
  consumer = log.consumer({ topics: ['plain'] });
  await consumer.ready;
});

afterAll(() => log.close());

/** `said`: what the message must contain, the value as the last. */
type Case = readonly [call: () => unknown, ...said: readonly string[]];

const name = '1 to 200 of the characters';
const made = 'a topic is a name or what topic(';
const record = { value: 'v' };
const send = (rest: object) => (): unknown => producer.send('plain', { ...record, ...rest });
const read = (rest: object) => (): unknown => log.consumer({ topics: ['plain'], ...rest });
const write = (options: unknown) => (): unknown => log.producer(wrong(options));

const AT_THE_CALL: Readonly<Record<string, Case>> = {
  'topic: an empty name': [() => topic(''), name, '""'],
  'topic: a blank': [() => topic('my topic'), name, '"my topic"'],
  'topic: a slash': [() => topic('../etc'), name, '"../etc"'],
  'topic: an umlaut': [() => topic('käse'), name, '"käse"'],
  'topic: a line feed at the end': [() => topic('t\n'), name, '"t\\n"'],
  'topic: a name too long': [() => topic('x'.repeat(201)), name, '"xxx'],
  'topic: no name': [() => topic(wrong(undefined)), name, 'undefined'],
  'topic: a misspelt option': [() => topic('t', wrong({ partition: 3 })), '"partition"'],
  'topic: no partitions': [() => topic('t', { partitions: 0 }), 'from 1 to 1000', '0'],
  'topic: too many': [() => topic('t', { partitions: 1001 }), 'from 1 to 1000', '1001'],
  'topic: NaN of them': [() => topic('t', { partitions: Number.NaN }), 'integer', 'NaN'],
  'topic: text': [() => topic('t', { partitions: wrong('3') }), 'integer', '"3"'],
  'topic: no bytes': [() => topic('t', { maxRecordBytes: 0 }), 'maxRecordBytes', '0'],
  'topic: too many bytes': [() => topic('t', { maxRecordBytes: 2 ** 30 }), '1073741824'],
  'topic: a wrong time': [() => topic('t', { timestampType: wrong('now') }), '"create"', '"now"'],
  'topic: a list as retention': [
    () => topic('t', { retention: wrong([]) }),
    'retention',
    'an array of 0',
  ],
  'topic: in memory without a bound': [
    () => topic('t', { storage: 'memory', retention: { bytes: null } }),
    "'t'",
    'retention.bytes is null',
  ],
  'topic: in memory, and protected': [
    () => topic('t', { storage: 'memory', protectUncommitted: ['g'] }),
    "'t'",
    'protectUncommitted',
  ],
  'topic: an inherited name': [() => topic('t', wrong({ toString: 1 })), '"toString"'],

  'producer: a misspelt option': [write({ linger: 5 }), '"linger"'],
  'producer: acks': [write({ acks: 1 }), '"acks": did you mean durability?'],
  'producer: a client id': [write({ clientId: 'c' }), '"clientId": leave it out'],
  'producer: nearly an option': [write({ compresion: 'gzip' }), 'did you mean compression?'],
  'producer: negative lingerMs': [
    write({ lingerMs: -1 }),
    'lingerMs',
    'from 0 to 2147483647',
    '-1',
  ],
  'producer: NaN': [write({ lingerMs: Number.NaN }), 'lingerMs', 'NaN'],
  'producer: longer than a timer': [write({ lingerMs: 2 ** 31 }), '2147483647', '2147483648'],
  'producer: an endless transaction': [
    write({ transactionTimeoutMs: 1e12 }),
    'transactionTimeoutMs',
    'from 1 to 2147483647',
    '1000000000000',
  ],
  'producer: no time': [write({ transactionTimeoutMs: 0 }), 'from 1 to 2147483647', 'got 0'],
  'producer: an id, and not idempotent': [
    write({ transactionalId: 'id', idempotent: false }),
    'transactionalId needs idempotent: true',
  ],
  'producer: an id with a blank': [
    write({ transactionalId: 'a b' }),
    'a transactional id must be',
    '"a b"',
  ],
  'producer: for ever': [write({ lingerMs: Infinity }), 'lingerMs', 'Infinity'],
  'producer: sends again what nobody knows': [
    write({ deliveryTimeoutMs: 300_000 }),
    'deliveryTimeoutMs',
    'know what comes again, must be an integer from 0 to 299999',
    '300000',
  ],
  'producer: text': [write({ lingerMs: '5' }), 'lingerMs', '"5"'],
  'producer: batchBytes': [write({ batchBytes: 0 }), 'batchBytes', '0'],
  'producer: large batchBytes': [write({ batchBytes: 2 ** 30 }), 'batchBytes', '1073741824'],
  'producer: bufferBytes': [write({ bufferBytes: 1.5 }), 'bufferBytes', '1.5'],
  'producer: compression': [write({ compression: 'zstd' }), '"gzip"', '"zstd"'],
  'producer: durability': [write({ durability: true }), '"strict"', 'true'],
  'producer: partitioner': [write({ partitioner: 'murmur2' }), 'function', '"murmur2"'],

  'consumer: no topics': [read({ topics: [] }), 'at least one topic', 'an array of 0'],
  'consumer: one topic': [read({ topics: 'plain' }), 'array', '"plain"'],
  'consumer: null': [read({ topics: [null] }), name, 'null'],
  'consumer: twice the same': [read({ topics: ['plain', topic('plain')] }), 'twice', '"plain"'],
  'consumer: a misspelt option': [read({ fromBeginning: true }), '"fromBeginning"'],
  'consumer: as KafkaJS has it': [read({ groupId: 'g' }), '"groupId": did you mean group?'],
  'consumer: from the beginning': [read({ fromBeginning: true }), "did you mean from: 'earliest'?"],
  'consumer: one topic by its name': [read({ topic: 't' }), 'did you mean topics?'],
  'consumer: a handler': [read({ eachMessage() {} }), 'consumer.run({ eachMessage })?'],
  'consumer: from': [read({ from: 'beginning' }), "'earliest'", '"beginning"'],
  'consumer: a negative offset': [read({ from: -1 }), 'at least 0', '-1'],
  'consumer: half an offset': [read({ from: 0.5 }), 'integer', '0.5'],
  'consumer: no date': [read({ from: new Date('x') }), 'valid Date'],
  'consumer: prefetchBytes': [read({ prefetchBytes: 0 }), 'prefetchBytes', '0'],
  'consumer: maxPartitionBytes': [read({ maxPartitionBytes: -5 }), 'maxPartitionBytes', '-5'],
  'consumer: a long maxWaitMs': [read({ maxWaitMs: 1e12 }), 'to 2147483647', '1000000000000'],
  'consumer: a long time': [read({ group: 'g', rebalanceTimeoutMs: 1e12 }), 'to 2147483647'],
  'consumer: a long session': [read({ group: 'g', sessionTimeoutMs: 1e12 }), 'from 100 to 214748'],
  'consumer: a rare commit': [read({ group: 'g', commit: { everyMs: 1e12 } }), 'everyMs', 'to 214'],
  'consumer: a misspelt commit': [
    read({ group: 'g', commit: { everyMs: 5, every: 5 } }),
    'commit has no option "every"',
  ],
  'consumer: a topic that is none': [read({ topics: [{ name: 'plain' }] }), made, 'topic("plain"'],
  'consumer: maxWaitMs': [read({ maxWaitMs: Number.NaN }), 'maxWaitMs', 'NaN'],
  'position: another topic': [
    () => consumer.position({ topic: 'typed', partition: 0 }),
    'does not read',
    "'typed'",
  ],
  'pause: another partition': [
    () => consumer.pause({ topic: 'plain', partition: 1 }),
    '0 to 0',
    '1',
  ],
  'resume: half of one': [() => consumer.resume({ topic: 'plain', partition: 0.5 }), '0.5'],

  'inline: a misspelt option': [() => inline(wrong({ storrage: 'memory' })), '"storrage"'],
  'inline: store': [() => inline({ store: wrong('memory') }), 'store', '"memory"'],
  'inline: storage': [() => inline({ storage: wrong('disk') }), '"memory"', '"disk"'],
};

const REJECTED: Readonly<Record<string, Case>> = {
  'openLog: a name': [() => openLog('my log'), name, '"my log"'],
  'openLog: no name': [() => openLog(wrong(undefined)), name, 'undefined'],
  'openLog: a host': [() => openLog('l', { host: wrong('inline') }), "'shared'", '"inline"'],
  'openLog: inline itself': [() => openLog('l', { host: wrong(inline) }), 'inline()', 'inline'],
  'openLog: a store': [
    () => openLog('l', { host: wrong(memoryStore()) }),
    'a store is passed as inline({ store })',
    'open',
  ],
  'openLog: null': [() => openLog('l', { host: wrong(null) }), 'inline()', 'null'],
  'openLog: brokers': [() => openLog('l', wrong({ brokers: [] })), '"brokers": leave it out'],
  'openLog: a signal': [
    () => openLog('l', { signal: wrong(new AbortController()) }),
    'signal',
    'AbortSignal',
  ],
  'openLog: what to do with a lost log': [
    () => openLog('l', { host: memoryHost(), onUnrecoverable: wrong('memory') }),
    '"recreate"',
    '"memory"',
  ],
  'openLog: a misspelt option': [() => openLog('l', wrong({ url: '' })), '"url"'],

  'send: a topic': [() => producer.send('no/topic', record), name, '"no/topic"'],
  'send: no topic': [() => producer.send(null as unknown as string, record), name, 'null'],
  'send: as KafkaJS has it': [
    () => (producer as unknown as Untyped).send({ topic: 'plain', messages: [record] }),
    made,
    'got { topic, messages }: did you mean sendBatch(topic, records)?',
  ],
  'send: many records': [() => producer.send('plain', wrong([record])), 'sendBatch()', 'of 1'],
  'send: no record': [() => producer.send('plain', wrong(undefined)), 'object', 'undefined'],
  'send: text': [() => producer.send('plain', wrong('v')), 'object', '"v"'],
  'send: an undefined value': [send({ value: undefined }), 'tombstone', 'undefined'],
  'send: no value': [() => producer.send('plain', wrong({ key: 'k' })), 'tombstone', 'undefined'],
  'send: a number': [
    send({ value: 5 }),
    'a Uint8Array or a string, got 5',
    "topic('plain', { value",
  ],
  'send: a number as key': [send({ key: 5 }), 'no key serde', "topic('plain', { key: json() })"],
  'send: an object': [send({ value: {} }), '{ value: json() }', '{}'],
  'send: a key': [
    () => producer.send(typed, { key: wrong(5), value: { id: '' } }),
    'string()',
    '5',
  ],
  'send: a partition too high': [send({ partition: 1 }), '0 to 0', '1'],
  'send: a negative one': [send({ partition: -1 }), '0 to 0', '-1'],
  'send: half of one': [send({ partition: 0.5 }), '0 to 0', '0.5'],
  'send: text as partition': [send({ partition: '0' }), '0 to 0', '"0"'],
  'send: a negative time': [send({ timestamp: -1 }), 'milliseconds', '-1'],
  'send: NaN': [send({ timestamp: Number.NaN }), 'milliseconds', 'NaN'],
  'send: half a millisecond': [send({ timestamp: 0.5 }), 'milliseconds', '0.5'],
  'send: a time too far': [send({ timestamp: 2 ** 53 }), 'milliseconds', '9007199254740992'],
  'send: no date': [send({ timestamp: new Date('x') }), 'Date'],
  'send: a header': [send({ headers: { h: 5 } }), '"h"', '5'],
  'send: no header': [send({ headers: { h: undefined } }), '"h"', 'undefined'],
  'send: a header name': [send({ headers: [[5, 'x']] }), 'name', 'an array of 2'],
  'send: to a topic that is none': [
    () => producer.send(wrong({ name: 'plain' }), wrong(record)),
    made,
    '{ name }',
  ],
  'send: to a copy of a topic, renamed': [
    () => producer.send({ ...typed, name: 'no name' }, { value: { id: '' } }),
    'a topic name must be',
    '"no name"',
  ],
  'send: an offset for any partition': [
    send({ expectedOffset: 0 }),
    'a key or a partition: pass partition: 0',
  ],
  'send: an offset beside the record': [
    () => producer.send('plain', record, wrong({ expectedOffset: 0 })),
    'send() has no option "expectedOffset"',
    'did you mean send(topic, { key, value, expectedOffset })?',
  ],
  'send: a misspelt option': [
    () => producer.send('plain', record, wrong({ signals: 0 })),
    'did you mean signal?',
  ],
  'send: null as options': [() => producer.send('plain', record, wrong(null)), 'options', 'null'],
  'send: no signal': [
    () => producer.send('plain', record, { signal: wrong(new AbortController()) }),
    'signal must be an AbortSignal',
  ],
  'sendBatch: an offset beside the records': [
    () => producer.sendBatch('plain', [record], wrong({ expectedOffset: 0 })),
    'sendBatch() has no option "expectedOffset"',
    'did you mean send(topic, { key, value, expectedOffset })?',
  ],
  'sendBatch: an offset for any partition': [
    () => producer.sendBatch('plain', [record, { ...record, expectedOffset: 0 }]),
    'a key or a partition: pass partition: 0',
  ],
  'sendBatch: no signal': [
    () => producer.sendBatch('plain', [], { signal: wrong('now') }),
    'signal must be an AbortSignal',
    '"now"',
  ],
  'sendRaw: text': [() => producer.sendRaw('plain', 0, wrong('abc')), 'bytes', '"abc"'],
  'sendRaw: numbers': [() => producer.sendRaw('plain', 0, wrong([1])), 'bytes', 'an array of 1'],
  'sendRaw: null as options': [
    () => producer.sendRaw('plain', 0, new Uint8Array(), wrong(null)),
    'sendRaw()',
    'null',
  ],
  'sendRaw: a misspelt option': [
    () => producer.sendRaw('plain', 0, new Uint8Array(), wrong({ expectOffset: 0 })),
    'did you mean expectedOffset?',
  ],
  'sendRaw: a negative offset': [
    () => producer.sendRaw('plain', 0, new Uint8Array(), { expectedOffset: -1 }),
    'expectedOffset',
    'at least 0',
    '-1',
  ],
  'sendRaw: offsets to keep, of a partition with any end': [
    () => producer.sendRaw('plain', 0, new Uint8Array(), { keepOffsets: true }),
    'keepOffsets needs expectedOffset',
  ],
  'flush: no signal': [
    () => producer.flush({ signal: wrong({}) }),
    'signal must be an AbortSignal',
  ],
  'flush: a misspelt option': [() => producer.flush(wrong({ signals: 1 })), 'did you mean signal?'],
  'transaction: no signal': [
    () => producer.transaction(() => {}, { signal: wrong(1) }),
    'signal must be an AbortSignal',
    '1',
  ],
  'sendBatch: one record': [() => producer.sendBatch('plain', wrong(record)), 'array', '{ value }'],
  'sendBatch: a hole': [() => producer.sendBatch('plain', [record, wrong(null)]), 'object', 'null'],
  'sendBatch: an undefined value': [
    () => producer.sendBatch('plain', [record, wrong({})]),
    'tombstone',
    'undefined',
  ],

  'createTopics: one topic': [() => log.admin.createTopics(wrong('t')), 'array', '"t"'],
  'createTopics: no topic': [
    () => log.admin.createTopics([wrong({ name: 'x', partitions: 2 })]),
    made,
    'topic("x", {',
  ],
  'createTopics: one topic twice': [
    () =>
      log.admin.createTopics([topic('dup', { partitions: 1 }), topic('dup', { partitions: 2 })]),
    '"dup" twice',
  ],
  'createTopics: a name': [() => log.admin.createTopics(['new', 'no topic']), name, '"no topic"'],
  'deleteTopics: one topic': [
    () => log.admin.deleteTopics(wrong(typed)),
    'array',
    '{ name, key, value, partitions, config }',
  ],
  'deleteTopics: a name': [() => log.admin.deleteTopics(['plain', wrong(5)]), name, '5'],
  'describeTopics: a name': [() => log.admin.describeTopics(['']), name, '""'],
  'createPartitions: none': [
    () => log.admin.createPartitions([{ topic: 'plain', partitions: 0 }]),
    'from 1 to 1000',
    '0',
  ],
  'createPartitions: text': [
    () => log.admin.createPartitions([{ topic: 'plain', partitions: wrong('2') }]),
    'integer',
    '"2"',
  ],
  'alterTopics: a name': [
    () => log.admin.alterTopics([{ topic: wrong({}), config: {} }]),
    made,
    '{}',
  ],
  'alterTopics: bytes': [
    () => log.admin.alterTopics([{ topic: 'plain', config: { maxRecordBytes: 0 } }]),
    '0',
  ],
  'alterTopics: misspelt': [
    () => log.admin.alterTopics([{ topic: 'plain', config: wrong({ maxBytes: 7 }) }]),
    '"maxBytes"',
  ],
  'alterTopics: storage': [
    () => log.admin.alterTopics([{ topic: 'plain', config: wrong({ storage: 'memory' }) }]),
    'alterTopics() has no option "storage": it takes maxRecordBytes,',
  ],
  'describeTopics: one topic': [() => log.admin.describeTopics(wrong('plain')), 'array', '"plain"'],
  'createPartitions: a topic and a number': [
    () => log.admin.createPartitions(wrong('plain')),
    'an array of { topic, partitions }',
    '"plain"',
  ],
  'createPartitions: one topic twice': [
    () =>
      log.admin.createPartitions([
        { topic: 'plain', partitions: 2 },
        { topic: 'plain', partitions: 3 },
      ]),
    'createPartitions() was given the topic "plain" twice',
  ],
  'alterTopics: an option beside the topic': [
    () => log.admin.alterTopics([wrong({ topic: 'plain', cleanup: 'compact' })]),
    'alterTopics() has no option "cleanup": it takes topic, config',
  ],
  'alterTopics: no config': [
    () => log.admin.alterTopics([wrong({ topic: 'plain' })]),
    'the config of alterTopics() takes an object of options',
    'undefined',
  ],
  'listOffsets: a topic': [() => log.admin.listOffsets(wrong('plain')), 'an array', '"plain"'],
  'listOffsets: a partition': [
    () => log.admin.listOffsets([{ topic: 'plain', partition: 7, at: 'latest' }]),
    'partition must be an integer from 0 to 0',
    '7',
  ],
  'exportPartition: a topic': [
    () => log.admin.exportPartition(wrong('plain'), wrong(0)).getReader().read(),
    'exportPartition() takes { topic, partition }',
    '"plain"',
  ],
  'importPartition: a topic': [
    () => log.admin.importPartition(wrong('plain'), new Uint8Array()),
    'importPartition() takes { topic, partition }',
    '"plain"',
  ],
  'describeGroups: one group': [() => log.admin.describeGroups(wrong('g')), 'array', '"g"'],
  'alterLog: nothing': [() => log.admin.alterLog(wrong({})), 'maxBytes must be', 'undefined'],
  'listOffsets: an offset': [
    () => log.admin.listOffsets([{ topic: 'plain', at: wrong(5) }]),
    'no offset',
    '5',
  ],
  'listOffsets: a word': [
    () => log.admin.listOffsets([{ topic: 'plain', at: wrong('end') }]),
    "'latest'",
    '"end"',
  ],

  'seek: a word': [() => consumer.seek(wrong('end')), "'latest'", '"end"'],
  'seek: nothing': [() => consumer.seek(wrong(undefined)), "'latest'", 'undefined'],
  'seek: a negative offset': [() => consumer.seek(-1), 'at least 0', '-1'],
  'seek: a bigint': [() => consumer.seek(wrong(5n)), 'an offset', '5'],
  'seek: a partition': [() => consumer.seek(0, { topic: 'plain', partition: 7 }), '0 to 0', '7'],
  'seek: another topic': [() => consumer.seek(0, { topic: typed, partition: 0 }), "'typed'"],
  'batches: max': [async () => consumer.batches({ max: 0 }).next(), 'max', '0'],
  'batches: maxWaitMs': [async () => consumer.batches({ maxWaitMs: -1 }).next(), 'maxWaitMs', '-1'],
  'run: a long back-off': [
    () => consumer.run({ eachMessage: () => {}, backoffMs: 1e12 }),
    'backoffMs',
    '2147483647',
  ],
  'run: no handler': [() => consumer.run(wrong({})), 'eachMessage', 'undefined'],
};

/** What would otherwise be let through, or refused by the engine without the rule. */
const UNTYPED: Readonly<Record<string, Case>> = {
  'topic: no serde': [() => topic('t', { value: wrong('json') }), 'serde', '"json"'],
  'topic: a serde that was not called': [() => topic('t', { value: wrong(string) }), 'serde'],
  'topic: null': [() => topic('t', wrong(null)), 'topic()', 'null'],
  'topic: a number': [() => topic('t', wrong(5)), 'topic()', '5'],
  'producer: null': [write(null), 'producer()', 'null'],
  'producer: a number': [write(5), 'producer()', '5'],
  'consumer: nothing': [() => log.consumer(wrong(undefined)), 'consumer()', 'undefined'],
  'consumer: signal': [read({ signal: 'stop' }), 'signal', '"stop"'],
  'inline: a store': [() => inline(wrong(memoryStore())), 'a store as inline({ store })', 'open'],
  'inline: a word': [() => inline(wrong(5)), 'inline()', '5'],
  'openLog: null': [() => openLog('l', wrong(null)), 'openLog()', 'null'],
  'openLog: workerUrl': [() => openLog('l', { host: memoryHost(), workerUrl: wrong(5) }), '5'],
  'send: a misspelt field': [send({ header: {} }), '"header"'],
  'send: null as time': [send({ timestamp: null }), 'milliseconds', 'null'],
  'send: text as time': [send({ timestamp: '5' }), 'milliseconds', '"5"'],
  'send: null as headers': [send({ headers: null }), 'headers', 'null'],
  'send: text as headers': [send({ headers: 'abc' }), 'headers', '"abc"'],
  'send: text as a pair': [send({ headers: ['ab'] }), 'header', '"ab"'],
  'send: a number as a pair': [send({ headers: [5] }), 'header', '5'],
  'batches: misspelt': [() => consumer.batches(wrong({ maxWait: 5 })).return(), '"maxWait"'],
  'run: nothing': [() => consumer.run(wrong(undefined)), 'run()', 'undefined'],
  'json: no schema': [() => json(wrong({})), 'schema', '{}'],
};

const entries = (cases: Readonly<Record<string, Case>>): [string, Case][] => Object.entries(cases);

describe('throws at once', () => {
  test.each(entries(AT_THE_CALL))('%s', (_, [call, ...said]) => {
    let error: unknown;
    try {
      call();
    } catch (thrown) {
      error = thrown;
    }
    expectMistake(error, said);
  });
});

describe('rejects', () => {
  test.each(entries(REJECTED))('%s', async (_, [call, ...said]) => {
    const result = call(); // an async function never throws
    const error: unknown = await Promise.resolve(result).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expectMistake(error, said);
  });
});

describe('refuses what only untyped code can pass', () => {
  test.each(entries(UNTYPED))('%s', async (_, [call, ...said]) => {
    let error: unknown;
    try {
      await call();
    } catch (thrown) {
      error = thrown;
    }
    expectMistake(error, said);
  });
});

test('nothing was stored or made by any of it', async () => {
  const names = (await log.admin.listTopics()).map((info) => info.name);
  expect(names.sort()).toEqual(['plain', 'typed']);
  expect(await countOf(log, typed)).toBe(0);
});

function expectMistake(error: unknown, said: readonly string[]): void {
  expect(error).toSatisfy((e) => e instanceof TypeError || e instanceof RangeError);
  for (const part of said) expect((error as Error).message).toContain(part);
}
