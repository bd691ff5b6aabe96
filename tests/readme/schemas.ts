import { openLog, topic } from 'tablog';
import type { Serde } from 'tablog';

interface Order {
  id: string;
  qty: number;
}
/** The fields of a record, in order: a later version of the app has other ones. */
type Schema = (keyof Order)[];
const schemas = new Map<string, Schema>();

async function load(id: string): Promise<void> {
  const response = await fetch(`/schemas/${id}`);
  if (response.ok) schemas.set(id, (await response.json()) as Schema);
  // A schema that is missing for good makes the record undecodable; anything else passes.
  else throw Object.assign(new Error(`no schema ${id}`), { retriable: response.status !== 404 });
}

/** Each schema is fetched by the first record that needs it; the records behind that one wait. */
const order: Serde<Order> = {
  encode(value, context) {
    const schema = schemas.get('order-1') ?? context.waitFor(load('order-1'));
    context.setHeader('schema', 'order-1');
    return JSON.stringify(schema.map((field) => value[field]));
  },
  decode(bytes, context) {
    const [, header] = context.headers.findLast(([name]) => name === 'schema')!;
    const id = new TextDecoder().decode(header!);
    const schema = schemas.get(id) ?? context.waitFor(load(id));
    const values = JSON.parse(new TextDecoder().decode(bytes)) as unknown[];
    return Object.fromEntries(schema.map((field, i) => [field, values[i]])) as unknown as Order;
  },
};

const orders = topic('orders', { value: order });
const log = await openLog('shop-with-schemas');
await log.admin.createTopics([orders]);
await log.producer().send(orders, { value: { id: 'o1', qty: 2 } });

schemas.clear(); // as in a tab that has just been opened
for await (const { value } of log.consumer({ topics: [orders], from: 'earliest' })) {
  console.log(value);
  break;
}
