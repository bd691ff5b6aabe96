import { json, string, topic } from 'tablog';

export const orders = topic('orders', { key: string(), value: json() });

/** The code under test: it is given the log. */
export async function placeOrder(log, order) {
  return log.producer().send(orders, { key: order.user, value: order });
}
