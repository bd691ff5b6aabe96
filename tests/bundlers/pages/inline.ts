import { openLog, string, topic } from 'tablog';
import { inline } from 'tablog/inline';

const events = topic('events', { key: string(), value: string() });
const log = await openLog('inline', { host: inline({ storage: 'memory' }) });
await log.admin.createTopics([events]);
const { offset } = await log.producer().send(events, { key: 'k', value: 'v' });
await log.close();
console.log('inline', offset);
