import { json, openLog, string, topic } from 'tablog';
import type { Message, RecordMetadata, Producer } from 'tablog';
import { inline } from 'tablog/inline';

interface Order {
  id: string;
}
const orders = topic('orders', { key: string(), value: json<Order>() });

const log = await openLog('shop', { host: inline({ storage: 'memory' }) });
const placed: RecordMetadata = await log
  .producer()
  .send(orders, { key: 'u1', value: { id: 'o1' } });
export const offset: number = placed.offset;

for await (const message of log.consumer({ topics: [orders] })) {
  const id: string | undefined = message.value?.id;
  const same: Message<'orders', string, Order> = message;
  console.log(id, same.offset);
  break;
}

/** `await using` needs nothing in `lib`: the package's types bring it along. */
export async function send(order: Order): Promise<void> {
  await using producer: Producer = log.producer();
  await producer.send(orders, { key: order.id, value: order });
}

// @ts-expect-error The value has another type.
await log.producer().send(orders, { key: 'u1', value: { id: 1 } });
