// The example, with a page and with what a test has to know and to cause.
import { openLog, string, topic } from 'tablog';
import { inline } from 'tablog/inline';
import worker, { TenantLog } from './worker.js';

export class TestedLog extends TenantLog {
  static alarms = 0;

  constructor(ctx) {
    super(ctx);
    this.ctx = ctx;
  }

  async fetch(request) {
    switch (new URL(request.url).pathname.split('/')[2]) {
      case 'evict':
        return this.ctx.abort('evicted');
      case 'alarm':
        await this.storage.setAlarm(Date.now() + 50);
        return new Response('set');
      case 'alarms':
        return Response.json(TestedLog.alarms);
      case 'size': {
        const { log } = await this.opened();
        return Response.json(await log.admin.describeTopics(['orders']));
      }
      default:
        return super.fetch(request);
    }
  }

  async alarm() {
    await super.alarm();
    TestedLog.alarms++;
  }
}

let kept;

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === '/') {
      return new Response('<title>orders</title>', { headers: { 'Content-Type': 'text/html' } });
    }
    if (pathname !== '/plain') return worker.fetch(request, env);
    // A log of a plain Worker, which one request opens and another one uses.
    const orders = topic('orders', { value: string() });
    try {
      kept ??= openLog('orders', { host: inline({ storage: 'memory' }) });
      const log = await kept;
      await log.admin.createTopics([orders]);
      const { offset } = await log.producer().send(orders, { value: 'one' });
      return Response.json({ offset });
    } catch (error) {
      return Response.json({ code: error.code, message: error.message });
    }
  },
};
