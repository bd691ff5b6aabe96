import { json, openLog, string, topic } from 'tablog';

const prices = topic('prices', { key: string(), value: json<number>(), cleanup: 'compact' });
const log = await openLog('shop'); // once a page, outside of components
await log.admin.createTopics([prices]);
export const table = log.table(prices);
export const setPrice = (name: string, price: number) =>
  producer.send(prices, { key: name, value: price });
const producer = log.producer();
