import { json, openLog, topic } from 'tablog';
import { inline } from 'tablog/inline';
import { sqlite } from 'tablog/sqlite';

const orders = topic('orders', { value: json(), retention: { ms: 7 * 24 * 3_600_000 } });
const CLEAN_EVERY_MS = 3_600_000;

/** The log of one tenant, which every page of the tenant writes and follows. */
export class TenantLog {
  constructor(ctx) {
    this.storage = ctx.storage;
  }

  /** Opens the log, again after each eviction: what was acked is there. */
  opened() {
    this.opening ??= this.open().catch((error) => {
      this.opening = undefined; // the next request tries again
      throw error;
    });
    return this.opening;
  }

  async open() {
    const log = await openLog('orders', { host: inline({ store: sqlite(this.storage) }) });
    await log.admin.createTopics([orders]);
    return { log, producer: log.producer() };
  }

  async fetch(request) {
    const { log, producer } = await this.opened();
    if (request.headers.get('Upgrade') === 'websocket') return this.follow(log, request);
    const { offset } = await producer.send(orders, { value: await request.json() });
    if ((await this.storage.getAlarm()) === null) {
      await this.storage.setAlarm(Date.now() + CLEAN_EVERY_MS);
    }
    return Response.json({ offset });
  }

  /** Sends every order from `?from=` on, and those that come. */
  follow(log, request) {
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    const from = Number(new URL(request.url).searchParams.get('from') ?? 0);
    const consumer = log.consumer({ topics: [orders], from: 'earliest' });
    server.addEventListener('close', () => void consumer.close());
    void (async () => {
      await consumer.seek(from, { topic: orders, partition: 0 });
      for await (const { offset, value } of consumer) {
        server.send(JSON.stringify({ offset, value }));
      }
    })().catch((error) => server.close(1011, error.message.slice(0, 100)));
    return new Response(null, { status: 101, webSocket: client });
  }

  /** Background work, which has no timers while the object is not in memory. */
  async alarm() {
    const { log } = await this.opened();
    await log.admin.runLogCleaner();
    await this.storage.setAlarm(Date.now() + CLEAN_EVERY_MS);
  }
}

export default {
  fetch(request, { TENANTS }) {
    const [, tenant] = new URL(request.url).pathname.split('/');
    return TENANTS.get(TENANTS.idFromName(tenant)).fetch(request);
  },
};
