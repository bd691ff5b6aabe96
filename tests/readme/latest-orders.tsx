import { useEffect, useState } from 'react';
import { json, openLog, topic } from 'tablog';
import type { MessageOf } from 'tablog';

const orders = topic('orders', { value: json<{ id: string; qty: number }>() });
const log = await openLog('shop-orders');
await log.admin.createTopics([orders]);
export const place = (id: string, qty: number) =>
  log.producer().send(orders, { value: { id, qty } });

export function LatestOrders() {
  const [latest, setLatest] = useState<MessageOf<typeof orders>[]>([]);
  useEffect(() => {
    const closing = new AbortController();
    const consumer = log.consumer({ topics: [orders], signal: closing.signal });
    void consumer.run({
      eachMessage: (order) => setLatest((before) => [order, ...before].slice(0, 10)),
    });
    return () => closing.abort(); // `run` ends, and the consumer is closed
  }, []);
  return (
    <ol>
      {latest.map(({ id, value }) => (
        <li key={id}>{`${value?.id}: ${value?.qty}`}</li>
      ))}
    </ol>
  );
}
