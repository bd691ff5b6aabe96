// Reads all that is stored, and writes a line for each record.
import { writeSync } from 'node:fs';
import { openShop, orders } from './open-shop.mjs';

const [file] = process.argv.slice(2);
const log = await openShop(file);
const [{ partitions }] = await log.admin.describeTopics([orders]);
let left = partitions.reduce((sum, { endOffset }) => sum + endOffset, 0);
const consumer = log.consumer({ topics: [orders], from: 'earliest' });
if (left > 0) {
  for await (const { partition, offset, value } of consumer) {
    writeSync(1, `${JSON.stringify({ partition, offset, value })}\n`);
    if (--left === 0) break;
  }
}
await log.close();
process.exit(0);
