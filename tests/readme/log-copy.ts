import { openLog } from 'tablog';
import { connectMirror } from 'tablog/connect/mirror';

const log = await openLog('shop');
await log.admin.createTopics(['orders']);
export const mirror = connectMirror(log, {
  name: 'copy',
  topics: ['orders'],
  port: () => new WebSocket('wss://shop.example/copy'),
});
