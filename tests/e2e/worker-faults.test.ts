import type { Page } from 'playwright';
import { afterEach, describe, expect, it } from 'vitest';
import { newTab } from '../support/browser.ts';
import { injectFault } from '../support/worker-faults.ts';
import { useBrowser, usePage } from './fixture.ts';

const WORKER_FILE = /tablog-worker-.*\.js$/;

const page = usePage();
const browser = useBrowser();

afterEach(() => page.server.override(WORKER_FILE, undefined));

/** The code and message of what `openLog` throws in the tab. */
function openError(
  tab: Page,
  kind: 'default' | 'dedicated',
): Promise<{ code: unknown; message: string }> {
  return tab.evaluate(
    (host) =>
      window.api.open('shop', host).then(
        () => ({ code: 'opened', message: '' }),
        (error) => ({ code: error.code, message: error.message }),
      ),
    kind,
  );
}

describe('a worker that cannot start', () => {
  it.each(['default', 'dedicated'] as const)('404 (%s)', async (kind) => {
    page.server.override(WORKER_FILE, (response) => response.writeHead(404).end());
    const error = await openError(await newTab(browser.context, page.server.url), kind);
    expect(error.code).toBe('WORKER_FAILED');
    expect(error.message).toMatch(/tablog-worker-.*\.js was answered with status 404.*workerUrl/s);
  });

  it('404, one log after the other: the browser is heard each time, and none waits for hello', async () => {
    page.server.override(WORKER_FILE, (response) => response.writeHead(404).end());
    const tab = await newTab(browser.context, page.server.url);
    const outcomes = await tab.evaluate(async () => {
      const settled: { reason: unknown; waited: boolean }[] = [];
      for (let i = 0; i < 20; i++) {
        const started = performance.now();
        const error = await window.api.open(`shop-${i}`, 'default').catch((thrown) => thrown);
        const waited = performance.now() - started > 5_000;
        settled.push({ reason: error.details?.reason, waited });
      }
      return settled;
    });
    expect(outcomes).toEqual(
      Array.from({ length: 20 }, () => ({ reason: 'notLoaded', waited: false })),
    );
  });

  it.each(['default', 'dedicated'] as const)('an error at its start (%s)', async (kind) => {
    page.server.override(WORKER_FILE, (response) => {
      response.writeHead(200, { 'content-type': 'text/javascript' }).end('throw new Error("boot")');
    });
    const error = await openError(await newTab(browser.context, page.server.url), kind);
    expect(error.code).toBe('WORKER_FAILED');
    expect(error.message).toContain('Uncaught Error: boot');
  });

  it.each(['default', 'dedicated'] as const)('refused by the CSP (%s)', async (kind) => {
    await browser.context.route(`${page.server.url}/`, async (route) => {
      const response = await route.fetch();
      const headers = { ...response.headers(), 'content-security-policy': "worker-src 'none'" };
      await route.fulfill({ response, headers });
    });
    const error = await openError(await newTab(browser.context, page.server.url), kind);
    expect(error.code).toBe('WORKER_FAILED');
    expect(error.message).toContain('worker-src');
  });
});

describe('a worker that dies', () => {
  it('settles what was in flight, and the tabs go on with a new one by themselves', async () => {
    const a = await newTab(browser.context, page.server.url);
    const b = await newTab(browser.context, page.server.url);
    for (const tab of [a, b]) {
      await tab.evaluate(() => window.api.open('shop', 'default'));
      await tab.evaluate(() => window.api.listen());
    }

    // B reads on, across the death; A sends all the while.
    const reading = b.evaluate(async () => {
      const log = window.api.mustGetLog();
      await log.admin.createTopics([window.api.topic('events', { value: window.api.string() })]);
      const seen: string[] = [];
      const topic = window.api.topic('events', { value: window.api.string() });
      for await (const { value } of log.consumer({ topics: [topic], from: 'earliest' })) {
        if (value === 'end') break;
        seen.push(value!);
      }
      return seen;
    });
    const sending = a.evaluate(async () => {
      const topic = window.api.topic('events', { value: window.api.string() });
      const log = window.api.mustGetLog();
      await log.admin.createTopics([topic]);
      const producer = log.producer({ idempotent: false }); // see idempotence.test.ts
      const acked: string[] = [];
      const failed: { value: string; code: unknown }[] = [];
      for (let i = 0; failed.length === 0 || i < acked.length + failed.length + 50; i++) {
        const sends = Array.from({ length: 20 }, (_, j) => {
          const value = `${i}/${j}`;
          return producer.send(topic, { value }).then(
            () => void acked.push(value),
            (error) => void failed.push({ value, code: error.code }),
          );
        });
        await Promise.all(sends);
        if (i === 20) document.title = 'kill';
        if (failed.length > 0 && i > 100) break;
      }
      await producer.send(topic, { value: 'end' });
      return { acked, failed };
    });
    await a.waitForFunction('document.title === "kill"');
    await a.evaluate(injectFault, 'close' as const);

    const { acked, failed } = await sending;
    const seen = await reading;
    expect(new Set(failed.map(({ code }) => code))).toEqual(new Set(['OUTCOME_UNKNOWN']));
    expect(new Set(seen).size).toBe(seen.length);
    // Every acked record is there, in order; one of unknown outcome may be.
    const told = await Promise.all([a, b].map((tab) => tab.evaluate(() => window.api.told)));
    expect(told).toEqual(told.map(() => ['workerLost', 'workerConnected']));
    const sent = new Set(acked);
    expect(seen.filter((value) => sent.has(value))).toEqual(acked);
    const unknown = new Set(failed.map(({ value }) => value));
    expect(seen.filter((value) => !sent.has(value) && !unknown.has(value))).toEqual([]);
  });

  it('that hangs is left for another: calls settle within 10 s, and the next one works', async () => {
    const tab = await newTab(browser.context, page.server.url);
    await tab.evaluate(() => window.api.open('shop', 'default'));
    await tab.evaluate(injectFault, 'hang' as const);

    const settled = await tab.evaluate(async () => {
      const started = performance.now();
      const log = window.api.mustGetLog();
      const statuses = log.status();
      const outcome = await log.admin.deleteTopics(['none']).catch((error) => error.code);
      const ms = performance.now() - started;
      await log.admin.createTopics(['after']);
      const topics = await log.admin.listTopics();
      const told: unknown[] = [];
      for await (const { timestamp: _, ...status } of statuses) if (told.push(status) === 2) break;
      return { outcome, ms, topics: topics.map(({ name }) => name), told };
    });
    expect(settled.outcome).toBe('OUTCOME_UNKNOWN');
    expect(settled.ms).toBeLessThan(11_000);
    expect(settled.topics).toEqual(['after']);
    expect(settled.told).toEqual([
      { type: 'workerLost', reason: 'silent' },
      { type: 'workerConnected', attempts: 1 },
    ]);
  });
});
