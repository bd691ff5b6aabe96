import { json, string, topic } from '../../src/index.ts';
import type { Log, SendBatchError } from '../../src/index.ts';

/** What the parts of a tab's code did, one after the other. */
export interface Used {
  readonly transaction: number | undefined;
  readonly group: unknown;
  readonly run: unknown;
  readonly gzip: number | undefined;
  readonly imported: number;
  readonly raw: number | undefined;
  readonly failed: readonly string[];
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

  const member = log.consumer({ group: `${name}-group`, topics: [orders], from: 'earliest' });
  let group: unknown;
  for await (const message of member) {
    group = message.value;
    break;
  }
  await member.close();

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
  const transaction = placements[0]?.offset;
  return { transaction, group, run, gzip, imported: records, raw: raw?.offset, failed };
}

/** What `useLog` gives where all of it works. */
export const ALL_USED: Used = {
  transaction: 0,
  group: 1,
  run: 1,
  gzip: 14_500,
  imported: 1,
  raw: 1,
  failed: ['CONFLICT'],
};
