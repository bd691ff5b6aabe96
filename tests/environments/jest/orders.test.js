import { openLog } from 'tablog';
import { inline } from 'tablog/inline';
import { orders, placeOrder } from './orders.js';

let log;
beforeEach(async () => {
  log = await openLog('shop', { host: inline({ storage: 'memory' }) }); // a log of its own
  await log.admin.createTopics([orders]);
});
afterEach(() => log.close());

test('an order that is placed is read', async () => {
  await placeOrder(log, { user: 'u1', qty: 2 });
  const [message] = await take(log.consumer({ topics: [orders], from: 'earliest' }), 1);
  expect(message.value).toEqual({ user: 'u1', qty: 2 });
});

async function take(consumer, count) {
  const messages = [];
  for await (const message of consumer) {
    if (messages.push(message) === count) break;
  }
  await consumer.close();
  return messages;
}
