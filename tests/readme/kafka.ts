import { json, openLog, topic } from 'tablog';
import { connect } from 'tablog/connect';
import { kafkaRestSink } from 'tablog/connect/kafka';

const visits = topic('visits', { value: json<{ page: string }>(), partitions: 4 });
export const log = await openLog('site');
await log.admin.createTopics([visits]);
const sink = kafkaRestSink({ url: 'https://kafka.example', topic: 'web-visits' });
export const connector = connect(log, { name: 'kafka', topics: [visits], sink });
