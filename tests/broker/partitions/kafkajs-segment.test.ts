import { expect, test } from 'vitest';
import {
  asDecoded,
  decodedRecords,
  kafkajsDecode,
  kafkajsEncode,
} from '../../record/kafkajs-codec.ts';
import { readBatches } from '../../../src/record/batch-reader.ts';
import { readRecords, recordOf } from '../../support/batches.ts';
import { found } from '../../support/broker-fixture.ts';
import { webhookEvents } from '../../support/webhook-events.ts';
import { World } from '../../support/world.ts';

const events = webhookEvents()
  .slice(0, 50)
  .map(({ key, value }, i) =>
    recordOf({ key, value, timestamp: 1_700_000_000_000 + i, headers: [['delivery', `${i}`]] }),
  );

test.each(['none', 'gzip'] as const)(
  'KafkaJS reads a fetched segment, which holds what KafkaJS wrote (%s)',
  async (compression) => {
    const shop = new World().broker();
    const orders = await shop.create('orders');
    for (let at = 0; at < events.length; at += 10) {
      const batch = await kafkajsEncode(events.slice(at, at + 10), compression);
      const [result] = await shop.broker.produce({
        appends: [
          {
            topicId: orders.id,
            partition: 0,
            batch: Uint8Array.from(batch).buffer,
            compression: 'none',
          },
        ],
        durability: 'relaxed',
      });
      expect(result).toMatchObject({ baseOffset: at });
    }

    const { segments } = found(await shop.fetch(orders));
    let read = 0;
    for (const segment of segments) {
      for (const { bytes, recordCount } of readBatches(new Uint8Array(segment))) {
        const theirs = decodedRecords(await kafkajsDecode(bytes));
        expect(theirs).toEqual(asDecoded(readRecords(bytes)));
        expect(theirs[0]).toMatchObject({ offset: `${read}` });
        read += recordCount;
      }
    }
    expect(read).toBe(events.length);
  },
);
