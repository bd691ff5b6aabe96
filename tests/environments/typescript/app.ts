import { json, openLog, string, topic } from 'tablog';
import type { Message, RecordMetadata, Producer } from 'tablog';
import { memoryStore, openBroker } from 'tablog/broker';
import type { StoreFactory } from 'tablog/broker';
import { inline } from 'tablog/inline';
import { storeContract } from 'tablog/store-contract';

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

const store: StoreFactory = memoryStore();
openBroker({ log: 'bare', store }).close();
export const cases: string[] = storeContract().map(({ name }) => name);

// @ts-expect-error The value has another type.
await log.producer().send(orders, { key: 'u1', value: { id: 1 } });
