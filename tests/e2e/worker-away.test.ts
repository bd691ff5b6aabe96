import { afterEach, expect, it } from 'vitest';
import { newTab } from '../support/browser.ts';
import { injectFault } from '../support/worker-faults.ts';
import { useBrowser, usePage } from './fixture.ts';
import { until } from './group-tabs.ts';

const WORKER_FILE = /worker-.*\.js$/;

const page = usePage();
const browser = useBrowser();

afterEach(() => page.server.override(WORKER_FILE, undefined));

it('a worker that dies while its file cannot be had is outlived by producer and reader', async () => {
  const tab = await newTab(browser.context, page.server.url);
  await tab.evaluate(async () => {
    await window.api.open('shop', 'default');
    const log = window.api.mustGetLog();
    await log.admin.createTopics(['events']);
    const producer = log.producer();
    await producer.send('events', { value: '0' });
    const read: string[] = [];
    const follow = async (): Promise<void> => {
      for await (const { value } of log.consumer({ topics: ['events'], from: 'earliest' })) {
        read.push(new TextDecoder().decode(value!));
      }
    };
    Object.assign(window, { producer, read, ended: follow().catch(String) });
  });
  let asked = 0;
  page.server.override(WORKER_FILE, (response) => {
    asked++;
    response.writeHead(503).end();
  });
  await tab.evaluate(injectFault, 'close' as const);
  const sent = tab.evaluate(async () => {
    const { producer } = window as unknown as { producer: ReturnType<typeof sender> };
    return Promise.all(['1', '2', '3'].map((value) => producer.send('events', { value })));
  });
  await until(async () => expect(asked).toBeGreaterThan(8));
  page.server.override(WORKER_FILE, undefined);
  expect((await sent).map(({ offset }) => offset)).toEqual([1, 2, 3]);
  await until(async () => {
    const read = await tab.evaluate(() => (window as unknown as { read: string[] }).read);
    expect(read).toEqual(['0', '1', '2', '3']);
  });
});

function sender(): ReturnType<ReturnType<typeof window.api.mustGetLog>['producer']> {
  return window.api.mustGetLog().producer();
}
