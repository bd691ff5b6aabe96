import { json, string, topic } from '../../src/index.ts';
import type { Log, SendBatchError, Serde, SerdeContext } from '../../src/index.ts';

/** What the parts of a tab's code did, one after the other. */
export interface Used {
  readonly transaction: number | undefined;
  readonly group: unknown;
  readonly status: string | undefined;
  readonly run: unknown;
  readonly gzip: number | undefined;
  readonly imported: number;
  readonly raw: number | undefined;
  readonly failed: readonly string[];
  readonly stored: number | undefined;
  readonly waited: string | null;
}

/** Uses every part of a tab's code once, in topics whose names begin with `name`. */
export async function useLog(log: Log, name: string): Promise<Used> {
  const orders = topic(`${name}-orders`, { key: string(), value: json<number>() });
  const texts = topic(`${name}-texts`, { value: string() });
  const copies = topic(`${name}-copies`, { value: string() });
  await log.admin.createTopics([orders, texts, copies]);
  const { placements } = await log.producer().transaction((tx) => {
    tx.send(orders, { key: 'a', value: 1 });
  });

  const statuses = log.status();
  const member = log.consumer({ group: `${name}-group`, topics: [orders], from: 'earliest' });
  let group: unknown;
  for await (const message of member) {
    group = message.value;
    break;
  }
  await member.close();
  const { value: assigned } = await statuses.next();
  const status = assigned?.type;
  await statuses.return?.();

  const runner = log.consumer({ topics: [orders], from: 'earliest' });
  let run: unknown;
  await runner.run({
    eachMessage: async (message) => {
      run = message.value;
      await runner.close();
    },
  });

  const value = 'long enough to be compressed '.repeat(500);
  await log.producer({ compression: 'gzip' }).send(texts, { value });
  const reader = log.consumer({ topics: [texts], from: 'earliest' });
  let gzip: number | undefined;
  for await (const message of reader) {
    gzip = message.value?.length;
    break;
  }
  await reader.close();

  const file = await new Response(log.admin.exportPartition({ topic: texts, partition: 0 })).blob();
  const { records } = await log.admin.importPartition({ topic: copies, partition: 0 }, file);
  const batches = new Uint8Array(await file.arrayBuffer());
  const [raw] = await log.producer().sendRaw(copies, 0, batches);

  const conflicts = [{ value, partition: 0, expectedOffset: 7 }];
  const error: unknown = await log
    .producer()
    .sendBatch(copies, conflicts)
    .catch((thrown: unknown) => thrown);
  const { results } = error as SendBatchError;
  const failed = results.flatMap((result) => ('code' in result ? result.code : []));

  const forwarder = log.consumer({ topics: [copies], from: 'earliest' });
  const { value: batch } = await forwarder.batches({ raw: true }).next();
  await forwarder.close();

  const waited = await waitForSchema(log, `${name}-schemas`);
  const transaction = placements[0]?.offset;
  const stored = batch?.recordCount;
  return {
    transaction,
    group,
    status,
    run,
    gzip,
    imported: records,
    raw: raw?.offset,
    failed,
    stored,
    waited,
  };
}

/** Sends and reads a record whose serde waits each time. */
async function waitForSchema(log: Log, name: string): Promise<string | null> {
  let isKnown = false;
  const look = (context: SerdeContext): void => {
    if (!isKnown) context.waitFor(Promise.resolve().then(() => (isKnown = true)));
    isKnown = false;
  };
  const text = string();
  const value: Serde<string> = {
    encode(given, context) {
      look(context);
      return text.encode(given);
    },
    decode(bytes, context) {
      look(context);
      return text.decode(bytes);
    },
  };
  const schemas = topic(name, { value });
  await log.admin.createTopics([schemas]);
  await log.producer().send(schemas, { value: 'v' });
  const consumer = log.consumer({ topics: [schemas], from: 'earliest' });
  for await (const message of consumer) {
    await consumer.close();
    return message.value;
  }
  return null;
}

/** What `useLog` gives where all of it works. */
export const ALL_USED: Used = {
  transaction: 0,
  group: 1,
  status: 'partitionsAssigned',
  run: 1,
  gzip: 14_500,
  imported: 1,
  raw: 1,
  failed: ['CONFLICT'],
  stored: 1,
  waited: 'v',
};
