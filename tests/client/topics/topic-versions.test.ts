import { describe, expect, test } from 'vitest';
import { topic } from '../../../src/index.ts';
import type { Log, TopicLike, TopicOptions } from '../../../src/index.ts';
import { memoryHost, openTab, openTwoTabs, readAll, texts } from '../../support/log-fixture.ts';
import { settle } from '../../support/waiting.ts';

type Options = TopicOptions<Uint8Array, Uint8Array>;

const orders = (options: Options = {}): TopicLike => topic('orders', options);

async function described(log: Log): Promise<object> {
  const [{ partitions, config, version }] = await log.admin.describeTopics(['orders']);
  return { partitions: partitions.length, config, version };
}

/** A log whose topic is of this version. */
async function logOf(version: number | undefined, options: Options): Promise<Log> {
  const log = await openTab();
  await create(log, options, version);
  return log;
}

function create(log: Log, options: Options, version?: number): Promise<unknown> {
  return log.admin.createTopics([orders(options)], version === undefined ? {} : { version });
}

describe('a higher version', () => {
  test('brings a topic in line: options, partitions, and records stay', async () => {
    const log = await logOf(undefined, { partitions: 2, maxRecordBytes: 5_000 });
    const [{ id }] = await log.admin.describeTopics(['orders']);
    await log.producer().send('orders', { value: 'a', partition: 1 });
    await create(log, { partitions: 4, retention: { ms: 1_000 }, cleanup: 'delete' }, 1);
    expect(await described(log)).toMatchObject({
      partitions: 4,
      version: 1,
      config: { maxRecordBytes: 5_000, retention: { ms: 1_000, bytes: null } },
    });
    expect((await log.admin.describeTopics(['orders']))[0].id).toBe(id);
    await log.producer().send('orders', { value: 'b', partition: 3 });
    expect(texts(await readAll(log, 'orders'))).toEqual(['a', 'b']);
  });

  test('is told to other tabs, also where only an option has changed', async () => {
    const [first, second] = await openTwoTabs(orders({ maxRecordBytes: 10 }));
    const long = { value: 'x'.repeat(100) };
    const producer = second.producer();
    await expect(producer.send('orders', long)).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' });
    await create(first, { maxRecordBytes: 1_000 }, 1);
    await settle();
    await producer.send('orders', long);
  });

  test('changes nothing where nothing differs, but is remembered', async () => {
    const log = await logOf(1, { partitions: 2 });
    await create(log, { partitions: 2 }, 2);
    expect(await described(log)).toMatchObject({ partitions: 2, version: 2 });
  });

  test.each<[Options, Options, string, string]>([
    [
      { partitions: 4 },
      { partitions: 2, maxRecordBytes: 5 },
      'partitions is 4 and cannot become 2: ask for 4 or more',
      'partitions',
    ],
    [
      { storage: 'memory' },
      { storage: 'disk' },
      'storage is memory and cannot become disk: use another topic name',
      'storage',
    ],
  ])('cannot do what cannot be done: %o, %o', async (before, after, message, differs) => {
    const log = await logOf(1, before);
    const as = await described(log);
    const changing = log.admin.createTopics(['other', orders(after)], { version: 2 });
    await expect(changing).rejects.toThrow(message);
    await expect(changing).rejects.toMatchObject({
      code: 'TOPIC_EXISTS',
      retriable: false,
      details: { topic: 'orders', version: 1, differs },
    });
    expect(await described(log)).toEqual(as);
    expect(await log.admin.listTopics()).toHaveLength(1);
  });

  test('is INVALID_CONFIG for what does not go together', async () => {
    const log = await logOf(1, { storage: 'memory', retention: { bytes: 10_000 } });
    await expect(
      log.admin.createTopics([{ ...topic('orders'), config: { retention: { bytes: null } } }], {
        version: 2,
      }),
    ).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
  });
});

describe('a lower version', () => {
  test.each([undefined, 1])('keeps the topic as it is: %s', async (version) => {
    const log = await logOf(2, { partitions: 4, maxRecordBytes: 5_000 });
    const before = await described(log);
    await create(log, { partitions: 2, maxRecordBytes: 10, storage: 'memory' }, version);
    expect(await described(log)).toEqual(before);
  });

  test('of an older release, whichever tab comes when: the newest has its way', async () => {
    const host = memoryHost();
    const name = crypto.randomUUID();
    const tabs = await Promise.all(Array.from({ length: 9 }, () => openTab(host, name)));
    await Promise.all(
      tabs.map((tab, i) =>
        create(tab, { partitions: 1 + (i % 3), maxRecordBytes: i % 3 || 9 }, 1 + (i % 3)),
      ),
    );
    expect(await described(tabs[0]!)).toMatchObject({
      partitions: 3,
      version: 3,
      config: { maxRecordBytes: 2 },
    });
  });
});

describe('the same version', () => {
  test('keeps what agrees, and says what differs and what to do', async () => {
    const log = await logOf(3, { partitions: 2, maxRecordBytes: 5_000 });
    await create(log, { partitions: 2 }, 3);
    const differing = create(log, { partitions: 3, maxRecordBytes: 5_001 }, 3);
    await expect(differing).rejects.toMatchObject({
      code: 'TOPIC_EXISTS',
      details: { topic: 'orders', version: 3, differs: 'partitions, maxRecordBytes' },
    });
    await expect(differing).rejects.toThrow(
      "the topic 'orders' exists, of version 3, and differs: partitions is 2, not 3; maxRecordBytes is 5000, not 5001",
    );
    await expect(differing).rejects.toThrow('createTopics(topics, { version: 4 })');
  });

  test('from two tabs at once: one brings it in line, and both have it', async () => {
    const [first, second] = await openTwoTabs(orders());
    await Promise.all([first, second].map((tab) => create(tab, { partitions: 5 }, 1)));
    expect(await described(second)).toMatchObject({ partitions: 5, version: 1 });
  });
});

test.each([0, -1, 1.5, '2', null, Number.NaN])('version %s is refused', async (version) => {
  const log = await openTab();
  const options = { version: version as number };
  await expect(log.admin.createTopics([orders()], options)).rejects.toThrow(
    'version must be an integer of at least 1',
  );
});

test('an option that there is not is refused', async () => {
  const log = await openTab();
  const options = { ifExists: 'alter' } as object;
  await expect(log.admin.createTopics([orders()], options)).rejects.toThrow(
    'createTopics() has no option "ifExists": it takes version, signal',
  );
});
