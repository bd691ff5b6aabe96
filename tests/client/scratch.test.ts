import { expect, test, vi } from 'vitest';
import { topic, string, json, float, openLog, long, integer, short, double } from '../../src/index.ts';
import { inline } from '../../src/inline.ts';
import { AN_HOUR_MS, logWith, openTab, openTwoTabs, readAll, take, texts, countOf } from '../support/log-fixture.ts';
import { sentBy, stubHost } from '../support/stub-broker.ts';
import { TablogError } from '../../src/base/error.ts';
import { STORAGE_UNAVAILABLE } from '../../src/base/error-rules.ts';

test('seek while batches waits', async () => {
  const log = await logWith('t');
  await log.producer().sendBatch('t', ['a', 'b'].map((value) => ({ value })));
  const c = log.consumer({ topics: ['t'], from: 'earliest', maxWaitMs: 20 });
  await c.ready;
  const next = c.batches({ max: 10, maxWaitMs: 300 }).next();
  await new Promise((r) => setTimeout(r, 50));
  await c.seek('earliest');
  expect(texts((await next).value!.messages)).toEqual(['a', 'b']);
});
test('resume while idle polls have all the budget', async () => {
  const log = await logWith(topic('t', { partitions: 9 }));
  const c = log.consumer({ topics: ['t'], from: 'earliest', maxWaitMs: 1000 });
  await c.ready;
  c.pause({ topic: 't', partition: 3 });
  const more = take(c, 1);
  await new Promise((r) => setTimeout(r, 50));
  await log.producer().send('t', { value: 'x', partition: 3 });
  c.resume();
  expect(await Promise.race([more.then(texts), new Promise((r) => setTimeout(r, 500, 'late'))])).toEqual(['x']);
});
test('added while idle polls have all the budget', async () => {
  const log = await logWith(topic('t', { partitions: 8 }));
  const c = log.consumer({ topics: ['t'], from: 'earliest', maxWaitMs: 1000 });
  await c.ready;
  const more = take(c, 1);
  await new Promise((r) => setTimeout(r, 50));
  await log.admin.addPartitions('t', 9);
  await log.producer().send('t', { value: 'x', partition: 8 });
  expect(await Promise.race([more.then(texts), new Promise((r) => setTimeout(r, 500, 'late'))])).toEqual(['x']);
});
test('delete twice', async () => {
  const log = await logWith('a');
  await log.admin.deleteTopics(['a', 'a']).catch(() => {});
  await log.admin.createTopics([topic('b', { partitions: 65 })]);
  const p = log.producer();
  for (let partition = 0; partition < 65; partition++) await p.send('b', { value: 'x', partition });
});
test('rejecting async schema', async () => {
  const unhandled: unknown[] = [];
  const listen = (e: unknown) => unhandled.push(e);
  process.on('unhandledRejection', listen);
  const serde = json<string>({ '~standard': { version: 1, vendor: 'x', validate: () => Promise.reject(new Error('late')) } });
  expect(() => serde.encode('x')).toThrow('synchronous');
  await new Promise((r) => setTimeout(r, 20));
  process.off('unhandledRejection', listen);
  expect(unhandled).toEqual([]);
});
const log = await openLog('x', { host: inline({ storage: 'memory' }) });
await log.admin.createTopics(['t']);
const c = log.consumer({ topics: ['t'] });
await c.ready;
const p = log.producer();
test.each<[string, () => unknown]>([
  ['topic value', () => topic('x', { value: 'nonsense' as never })],
  ['topic value null', () => topic('x', { value: null as never })],
  ['topic value uncalled', () => topic('x', { value: string as never })],
  ['topic 5', () => topic('x', 5 as never)],
  ['topic null', () => topic('x', null as never)],
  ['producer 5', () => log.producer(5 as never)],
  ['producer null', () => log.producer(null as never)],
  ['consumer undefined', () => log.consumer(undefined as never)],
  ['consumer null', () => log.consumer(null as never)],
  ['signal', () => log.consumer({ topics: ['t'], signal: 'x' as never })],
  ['invalid date', () => log.consumer({ topics: ['t'], from: new Date(NaN) })],
  ['inline 5', () => inline(5 as never)],
  ['inline null', () => inline(null as never)],
  ['openLog null', () => openLog('x', null as never)],
  ['openLog 5', () => openLog('x', 5 as never)],
  ['host null', () => openLog('x', { host: null as never })],
  ['workerUrl', () => openLog('x', { host: inline({ storage: 'memory' }), workerUrl: 5 as never })],
  ['alter misspelt', () => log.admin.alterTopic('t', { maxRecordByte: 5 } as never)],
  ['alter null', () => log.admin.alterTopic('t', null as never)],
  ['alter undefined', () => log.admin.alterTopic('t', undefined as never)],
  ['batches misspelt', () => c.batches({ maxx: 5 } as never).next()],
  ['batches eager', () => c.batches({ max: 0 })],
  ['run undefined', () => c.run(undefined as never)],
  ['run misspelt', () => Promise.race([c.run({ eachMessage() {}, concurency: 3 } as never), new Promise((r) => setTimeout(r, 10))]).then(()=>{void c.close()})],
  ['record misspelt', () => p.send('t', { value: 'x', header: {} } as never)],
  ['record partition 0.5', () => p.send('t', { value: 'x', partition: 0.5 } as never)],
  ['record partition null', () => p.send('t', { value: 'x', partition: null } as never)],
  ['headers null', () => p.send('t', { value: 'x', headers: null } as never)],
  ['headers string', () => p.send('t', { value: 'x', headers: 'abc' } as never)],
  ['headers 5', () => p.send('t', { value: 'x', headers: 5 } as never)],
  ['headers strings', () => p.send('t', { value: 'x', headers: ['ab'] } as never)],
  ['headers nums', () => p.send('t', { value: 'x', headers: [5] } as never)],
  ['headers triple', () => p.send('t', { value: 'x', headers: [['a']] } as never)],
  ['headers surrogate', () => p.send('t', { value: 'x', headers: { '\ud800': 'x' } } as never)],
  ['record array', () => p.send('t', [] as never)],
  ['listOffsets offset', () => log.admin.listOffsets('t', 5 as never)],
  ['createTopics string', () => log.admin.createTopics('t' as never)],
  ['createTopics {}', () => log.admin.createTopics([{ name: 't2', partitions: -5 } as never])],
  ['seek partition', () => log.consumer({ topics: ['t'] }).seek('earliest', { topic: 't', partition: 5 })],
  ['seek partition where', () => log.consumer({ topics: ['t'] }).seek('earliest', 't' as never)],
  ['seek x', () => log.consumer({ topics: ['t'] }).seek('x' as never)],
  ['position', () => log.consumer({ topics: ['t'] }).position(undefined as never)],
  ['send undefined', () => p.send('t', undefined as never)],
  ['send date', () => p.send('t', { value: 'x', timestamp: new Date(NaN) })],
  ['json {}', () => json({} as never)],
  ['json bigint', () => json().encode(10n as never)],
  ['float 1e300', () => float().encode(1e300)],
  ['long 5', () => long().encode(5 as never)],
  ['int "5"', () => integer().encode('5' as never)],
])('%s', async (name, call) => {
  const result = await new Promise((resolve) => resolve(call())).then((v) => `ACCEPTED ${String(v)}`, (e: unknown) => String(e));
  console.log(name.padEnd(25), result.slice(0, 150));
});
