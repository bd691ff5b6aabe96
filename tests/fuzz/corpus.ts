import { readdirSync } from 'node:fs';
import { compressBatch } from '../../src/log/compress.ts';
import type { Compression } from '../../src/record/batch-format.ts';
import { sealBatch } from '../../src/record/batch-seal.ts';
import type { RecordParts } from '../../src/record/batch-writer.ts';
import { readFixture } from '../record/fixture-files.ts';
import { batchOf, recordOf } from '../support/batches.ts';
import type { Bytes } from '../support/batches.ts';
import { KAFKA_LOGS, batchesOf, kafkaSegments } from '../support/kafka-logs.ts';
import { loadParts } from '../support/load-parts.ts';
import { webhookEvents } from '../support/webhook-events.ts';

/** The real bytes that are mutated. */
export interface Corpus {
  /** Whole batches of every codec, of tablog, of Kafka and of the fixtures; some are damaged. */
  readonly batches: readonly Bytes[];
  /** Log files as a Kafka broker left them. */
  readonly files: readonly Bytes[];
}

/** Batches are small, so that a mutation is likely to hit something that matters. */
const EVENTS_A_BATCH = 3;
const EVENT_BATCHES = 6;

const WRITTEN: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4'];

const PLAIN: readonly (readonly RecordParts[])[] = [
  [recordOf({ key: 'k', value: 'v' })],
  [recordOf({ key: 'k', value: null })],
  [
    recordOf({
      value: 'é€😀',
      headers: [
        ['ключ', 'знач'],
        ['n', null],
      ],
    }),
  ],
  [
    recordOf({
      key: '',
      value: '',
      headers: [
        ['__proto__', 'x'],
        ['', ''],
      ],
    }),
  ],
  Array.from({ length: 40 }, (_, i) =>
    recordOf({ key: `key-${i % 7}`, value: 'v'.repeat(i * 3), timestamp: 1_700_000_000_000 + i }),
  ),
  [recordOf({ key: 'k', value: 'run '.repeat(2_000), timestamp: 2 ** 52 })],
];

export async function readCorpus(): Promise<Corpus> {
  await loadParts();
  const events = webhookEvents();
  const webhooks = Array.from({ length: EVENT_BATCHES }, (_, i) =>
    events
      .slice(i * EVENTS_A_BATCH, (i + 1) * EVENTS_A_BATCH)
      .map(({ key, value }) => recordOf({ key, value: value.slice(0, 2_000), timestamp: i })),
  );
  const own = [...PLAIN, ...webhooks].map((records) => batchOf(records));
  const compressed = WRITTEN.flatMap((codec) =>
    own.map((batch) => {
      const packed = compressBatch(Uint8Array.from(batch), codec);
      sealBatch(packed);
      return packed;
    }),
  );
  const producer = { id: 7, epoch: 1, sequence: 3 };
  const stamped = PLAIN.map((records) => batchOf(records, { producer, baseOffset: 1_000 }));
  const files = KAFKA_LOGS.flatMap((name) => kafkaSegments(name));
  const fixtures = readdirSync(new URL('../fixtures/recordbatch/', import.meta.url))
    .filter((name) => name.endsWith('.bin'))
    .map((name) => readFixture(`recordbatch/${name}`));
  return { batches: [...compressed, ...stamped, ...fixtures, ...files.flatMap(batchesOf)], files };
}
