// Sends numbered records until it is killed, and writes a line for each that was acked or refused.
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openShop, orders } from './open-shop.mjs';
import { valueOf } from './values.mjs';

const [file, name] = process.argv.slice(2);
const log = await openShop(file);
await log.admin.createTopics([orders]);
const producer = log.producer({ deliveryTimeoutMs: 20_000 });
const sends = new Set();
for (let n = 0; ; n++) {
  const sent = send(n);
  sends.add(sent);
  void sent.then(() => sends.delete(sent));
  if (n % 10 === 9) await sleep(1);
  if (sends.size >= 200) await sent;
}

async function send(n) {
  const partition = n % 2;
  try {
    const { offset } = await producer.send(orders, { partition, value: valueOf(name, n) });
    tell({ n, partition, offset });
  } catch (error) {
    tell({ n, refused: String(error) });
  }
}

/** Synchronous, so that what was acked is told. */
function tell(event) {
  writeSync(1, `${JSON.stringify(event)}\n`);
}
