import type { OutgoingHttpHeaders } from 'node:http';
import type { Page } from 'playwright';
import { afterEach, describe, expect, it } from 'vitest';
import { newTab } from '../support/browser.ts';
import { needs, useContext, usePage } from './fixture.ts';

/** Why the worker's file cannot be had: what an app's author is told, and what to do about it. */

const FILE = /\/own-worker\.js$/;
const PAGE = /^\/(index\.html)?$/;
const SCRIPT = { 'content-type': 'text/javascript' };

needs('routes');

const page = usePage();
const browser = useContext();

afterEach(() => page.server.override(FILE, undefined));

interface Told {
  readonly code: unknown;
  readonly message: string;
  readonly retriable: unknown;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What `openLog` says in a tab that gives it this address. */
function told(tab: Page, kind: 'shared' | 'dedicated', workerUrl?: string): Promise<Told> {
  return tab.evaluate(
    ([host, workerUrl]) =>
      window.api.openLog('shop', { host, ...(workerUrl !== undefined && { workerUrl }) }).then(
        () => ({ code: 'opened', message: '', retriable: null, details: {} }),
        ({ code, message, retriable, details }) => ({ code, message, retriable, details }),
      ),
    [kind, workerUrl] as const,
  );
}

async function openTab(headers: Readonly<Record<string, string>> = {}): Promise<Page> {
  await browser.context.route(
    (url) => PAGE.test(url.pathname),
    async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), ...headers } });
    },
  );
  return newTab(browser.context, page.server.url);
}

function answer(status: number, headers: OutgoingHttpHeaders, body: string): void {
  page.server.override(FILE, (response) => response.writeHead(status, headers).end(body));
}

describe.each(['shared', 'dedicated'] as const)('the file of a %s worker', (kind) => {
  it('is not there: the address and the status', async () => {
    answer(404, { 'content-type': 'text/plain' }, 'none');
    const error = await told(await openTab(), kind, '/own-worker.js');
    const url = `${page.server.url}/own-worker.js`;
    expect(error.code).toBe('WORKER_FAILED');
    expect(error.message).toContain(`${url} was answered with status 404`);
    expect(error.message).toContain('dist/tablog-worker.js');
    expect(error.retriable).toBe(true);
    expect(error.details).toEqual({
      reason: 'notLoaded',
      fault: 'status',
      url,
      status: 404,
      contentType: 'text/plain',
    });
  });

  it('is not there, of a page that names none: the address that the bundler chose', async () => {
    const tab = await openTab();
    await browser.context.route(/tablog-worker-.*\.js$/, (route) => route.fulfill({ status: 503 }));
    const error = await told(tab, kind);
    expect(error.details).toMatchObject({ fault: 'status', status: 503 });
    expect(error.details['url']).toMatch(/^http:\/\/localhost:\d+\/assets\/tablog-worker-.*\.js$/);
  });

  it('is the index page', async () => {
    answer(200, { 'content-type': 'text/html; charset=utf-8' }, '<!doctype html>');
    const error = await told(await openTab(), kind, 'own-worker.js');
    expect(error.message).toContain('/own-worker.js is HTML: many servers answer');
    expect(error.details).toMatchObject({ fault: 'html', status: 200, contentType: 'text/html' });
  });

  it('is served as another type', async () => {
    answer(200, { 'content-type': 'application/octet-stream' }, '');
    const error = await told(await openTab(), kind, '/own-worker.js');
    expect(error.message).toContain('is served as application/octet-stream');
    expect(error.message).toContain('Serve it as text/javascript.');
    expect(error.details).toMatchObject({ fault: 'contentType' });
  });

  it('is not bundled', async () => {
    answer(200, SCRIPT, `import { expose } from 'comlink';\nexpose({});`);
    const error = await told(await openTab(), kind, '/own-worker.js');
    expect(error.message).toContain("/own-worker.js imports 'comlink' by its bare name");
    expect(error.message).toContain('Serve tablog/worker');
    expect(error.details).toMatchObject({ fault: 'bareImport', status: 200 });
  });

  it('is there, and a file that it imports is not', async () => {
    answer(200, SCRIPT, `import{a as b}from"./gone.js";b()`);
    const error = await told(await openTab(), kind, '/own-worker.js');
    expect(error.message).toContain('imports what may not be: ./gone.js');
    expect(error.details).toMatchObject({ fault: 'imports' });
  });

  it("is of another origin, such as a CDN's", async () => {
    const cdn = page.server.url.replace('localhost', 'cdn.localhost');
    const error = await told(await openTab(), kind, `${cdn}/own-worker.js`);
    expect(error.message).toContain(`is of another origin than the page (${page.server.url})`);
    expect(error.message).toContain('Copy tablog/worker');
    expect(error.retriable).toBe(false);
    expect(error.details).toMatchObject({ fault: 'crossOrigin', url: `${cdn}/own-worker.js` });
  });

  it('is refused by the Content-Security-Policy', async () => {
    const tab = await openTab({ 'content-security-policy': "worker-src 'none'" });
    const error = await told(tab, kind);
    expect(error.message).toContain("refused by the page's Content-Security-Policy (worker-src)");
    expect(error.message).toContain("worker-src 'self'");
    expect(error.retriable).toBe(false);
    expect(error.details).toMatchObject({ fault: 'csp', status: 200 });
  });

  it('is a blob, which the Content-Security-Policy refuses', async () => {
    const tab = await openTab({ 'content-security-policy': "worker-src 'self'" });
    const blob = await tab.evaluate(() =>
      URL.createObjectURL(new Blob([''], { type: 'text/javascript' })),
    );
    const error = await told(tab, kind, blob);
    expect(error.message).toContain('is a blob: URL');
    expect(error.details).toMatchObject({ fault: 'scheme', url: blob });
  });

  it('is looked for where Vite has bundled the package beforehand', async () => {
    const url = '/node_modules/.vite/deps/tablog-worker.js?worker_file&type=module';
    const error = await told(await openTab(), kind, url);
    expect(error.message).toContain("optimizeDeps: { exclude: ['tablog'] } in vite.config");
    expect(error.details).toMatchObject({ fault: 'prebundled', url: page.server.url + url });
  });

  it('cannot be fetched', async () => {
    page.server.override(FILE, (response) => void response.destroy());
    const error = await told(await openTab(), kind, '/own-worker.js');
    expect(error.message).toContain(`${page.server.url}/own-worker.js could not be fetched (`);
    expect(error.retriable).toBe(true);
    expect(error.details).toMatchObject({ fault: 'unreachable' });
  });

  it('cannot be fetched offline, and no other code either', async () => {
    const tab = await openTab();
    await browser.context.setOffline(true);
    const error = await told(tab, kind, '/own-worker.js');
    expect(error.message).toContain('(/own-worker.js), nor could other code: the browser may be');
    expect(error.retriable).toBe(true);
    expect(error.details).toMatchObject({ reason: 'notLoaded', fault: 'unreachable' });
  });

  it('throws: the error and the address', async () => {
    answer(200, SCRIPT, 'throw new Error("boot")');
    const error = await told(await openTab(), kind, '/own-worker.js');
    expect(error.message).toContain(`Uncaught Error: boot (${page.server.url}/own-worker.js)`);
    expect(error.details).toEqual({
      reason: 'threw',
      url: `${page.server.url}/own-worker.js`,
    });
  });

  it('needs a TrustedScriptURL, where the page wants one', async () => {
    const headers = { 'content-security-policy': "require-trusted-types-for 'script'" };
    const tab = await openTab(headers);
    for (const url of ['/own-worker.js', undefined]) {
      const error = await told(tab, kind, url);
      expect(error.message).toContain('is not a TrustedScriptURL');
      expect(error.message).toContain('policy.createScriptURL(url)');
      expect(error.retriable).toBe(false);
      expect(error.details).toMatchObject({ reason: 'refused', fault: 'trustedTypes' });
    }
    // With one it opens, and the worker works.
    const file = await tab.evaluate(async () => {
      const error = await window.api.openLog('shop').catch((thrown) => thrown);
      return String(error.details.url);
    });
    const topics = await tab.evaluate(
      async ([host, file]) => {
        const { trustedTypes } = globalThis as unknown as { trustedTypes: TrustedTypes };
        const policy = trustedTypes.createPolicy('app', { createScriptURL: (url) => url });
        const workerUrl = policy.createScriptURL(file);
        const log = await window.api.openLog('shop', { host, workerUrl });
        await log.admin.createTopics(['events']);
        return (await log.admin.listTopics()).map(({ name }) => name);
      },
      [kind, file] as const,
    );
    expect(topics).toEqual(['events']);
  });
});

/** What a page with `require-trusted-types-for` makes an address with. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): { toString(): string; toJSON(): string } };
}

describe('workerUrl', () => {
  it('may be a URL of another realm', async () => {
    const tab = await openTab();
    const name = await tab.evaluate(async () => {
      const frame = document.body.appendChild(document.createElement('iframe'));
      const { URL: Foreign } = frame.contentWindow as unknown as { URL: typeof URL };
      const failed = await window.api
        .openLog('shop', { workerUrl: new Foreign('none.js', location.href) })
        .catch((thrown) => thrown);
      return String(failed.details?.url ?? failed);
    });
    expect(name).toBe(`${page.server.url}/none.js`);
  });

  it.each([
    ['data:text/javascript,1', 'must not be a data: URL'],
    [1, 'must be a string, a URL or a TrustedScriptURL, got 1'],
    [{}, 'must be a string, a URL or a TrustedScriptURL'],
  ])('is a mistake: %j', async (workerUrl, rule) => {
    const tab = await openTab();
    const error = await tab.evaluate(
      (workerUrl) =>
        window.api
          .openLog('shop', { workerUrl: workerUrl as string })
          .catch(({ name, message }) => ({ name, message })),
      workerUrl,
    );
    expect(error).toMatchObject({ name: 'TypeError' });
    expect((error as { message: string }).message).toContain(rule);
  });
});
