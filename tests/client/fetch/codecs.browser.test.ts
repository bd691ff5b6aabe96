/// <reference types="vite/client" />
import { afterAll, expect, test } from 'vitest';
import { openLog } from '../../../src/index.ts';
import type { Log } from '../../../src/index.ts';
import expected from '../../fixtures/kafka-logs/expected.json' with { type: 'json' };

/** The files that Kafka wrote, by their paths from here. */
const urls: Readonly<Record<string, string>> = import.meta.glob(
  '../../fixtures/kafka-logs/codec-*.log',
  { query: '?url', import: 'default', eager: true },
);

let opened: Promise<Log> | undefined;
afterAll(async () => (await opened)?.close());

test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
  'the worker checks batches of %s, and the page reads them',
  async (codec) => {
    const log = await (opened ??= openLog(`codecs-${crypto.randomUUID()}`));
    const name = `codec-${codec}` as const;
    await log.admin.createTopics([name]);
    const file = await (await fetch(urls[`../../fixtures/kafka-logs/${name}.log`]!)).blob();
    const records = expected.files[name];
    const imported = await log.admin.importPartition({ topic: name, partition: 0 }, file);
    expect(imported).toMatchObject({ records: records.length });
    const keys: (string | null)[] = [];
    for await (const { key } of log.consumer({ topics: [name], from: 'earliest' })) {
      const hex = [...(key ?? [])].map((byte) => byte.toString(16).padStart(2, '0')).join('');
      if (keys.push(key === null ? null : hex) === records.length) break;
    }
    expect(keys).toEqual(records.map((record) => record.key));
  },
);

test.each(['gzip', 'snappy', 'lz4'] as const)(
  'the worker writes batches of %s',
  async (compression) => {
    const log = await (opened ??= openLog(`codecs-${crypto.randomUUID()}`));
    const name = `written-${compression}`;
    await log.admin.createTopics([name]);
    const value = 'again and '.repeat(1000);
    await log.producer({ compression }).send(name, { value });
    expect((await log.admin.describeTopics([name]))[0].partitions[0]!.bytes).toBeLessThan(1000);
    for await (const message of log.consumer({ topics: [name], from: 'earliest' })) {
      expect(new TextDecoder().decode(message.value!)).toBe(value);
      break;
    }
  },
);
