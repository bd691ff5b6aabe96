import type { Frame } from 'playwright';
import { expect, it } from 'vitest';
import { needs, useContext, usePage } from './fixture.ts';
import { ALL_USED } from './use-log.ts';

needs('routes', 'locators');

const page = usePage();
const browser = useContext();

/** The page in a frame without an origin: locks, databases, workers and storage are there, and refused. */
async function openFrame(): Promise<Frame> {
  const tab = await browser.context.newPage();
  const outer = `${page.server.url}/outer.html`;
  await browser.context.route(outer, (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: '<iframe sandbox="allow-scripts" src="/"></iframe>',
    }),
  );
  await tab.goto(outer);
  const frame = tab.frames()[1]!;
  await frame.waitForFunction('window.api !== undefined');
  return frame;
}

it('a sandboxed frame has logs in memory, with all that a log can do', async () => {
  const frame = await openFrame();
  const used = await frame.evaluate(async () => {
    const { openLog, inline } = window.api;
    const log = await openLog('shop', { host: inline({ storage: 'memory' }) });
    const all = await window.api.useLog(log, 'sandboxed');
    const { persisted, usageBytes } = await log.admin.describeLog();
    await log.close();
    return { all, persisted, usageBytes };
  });
  expect(used).toEqual({ all: ALL_USED, persisted: false, usageBytes: undefined });
});

it.each([
  ['default', 'LOCKS_UNAVAILABLE'],
  ['dedicated', 'LOCKS_UNAVAILABLE'],
  ['inline', 'NO_INDEXEDDB'],
] as const)('a sandboxed frame is told why %s cannot be its host', async (kind, code) => {
  const frame = await openFrame();
  const error = await frame.evaluate(async (host) => {
    try {
      return await window.api.open('shop', host);
    } catch (thrown) {
      const { code, retriable, message, cause } = thrown as Error &
        Record<'code', unknown> & {
          retriable: unknown;
        };
      return { code, retriable, message, cause: (cause as Error | undefined)?.name };
    }
  }, kind);
  expect(error).toMatchObject({ code, retriable: false, cause: 'SecurityError' });
  expect(error!.message).toContain("inline({ storage: 'memory' })");
});
