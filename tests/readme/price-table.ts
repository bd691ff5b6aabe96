import { json, openLog, string, table, topic } from 'tablog';

const topicOfPrices = topic('prices', { key: string(), value: json<number>(), cleanup: 'compact' });
const log = await openLog('market');
await log.admin.createTopics([topicOfPrices]);
const producer = log.producer();

export const prices = table(log, topicOfPrices);
export const setPrice = (name: string, price: number) =>
  producer.send(topicOfPrices, { key: name, value: price });
