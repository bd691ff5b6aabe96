import { beforeEach } from 'vitest';
import type { TopicInfo } from '../../src/protocol/topic.ts';
import type { TestBroker } from '../support/broker-fixture.ts';
import { World } from '../support/world.ts';

/* oxlint-disable import/no-mutable-exports -- `useShop` sets them before each test */
/** The log of the test that runs. */
export let log: World;
/** A broker of the log. */
export let shop: TestBroker;
/** A topic of the log. */
export let orders: TopicInfo;
/* oxlint-enable import/no-mutable-exports */

/** Opens a log for each test of a file, with a broker, and with a topic of so many partitions. */
export function useShop(partitions = 1): void {
  beforeEach(async () => {
    log = new World();
    shop = log.broker();
    if (partitions > 0) orders = await shop.create('orders', partitions);
  });
}

/** The values in the first partition of the topic, read through another broker. */
export function stored(): Promise<string[]> {
  return log.broker().readAll(orders);
}
