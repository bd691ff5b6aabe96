// The README's Durable Object in workerd, used by a page in a real browser.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright';
import { BROWSER_ARGS, findBrowser } from '../../support/find-browser.mjs';
import { startMiniflare } from './start-miniflare.mjs';

const WORKER = fileURLToPath(new URL('tested-worker.js', import.meta.url));

/** Resolves when the object has done what the README says of it. */
export async function runObjects() {
  const persist = mkdtempSync(path.join(tmpdir(), 'tablog-objects-'));
  const start = () => startMiniflare(WORKER, { TENANTS: 'TestedLog' }, persist);
  const browser = await chromium.launch({
    executablePath: await findBrowser(),
    args: BROWSER_ARGS,
  });
  let server = await start();
  try {
    let page = await openPage(browser, server.url);
    assert.deepEqual(await page.evaluate(post, ['a', [1, 2, 3]]), [0, 1, 2]);
    assert.deepEqual(await page.evaluate(post, ['b', ['other']]), [0]);
    assert.deepEqual(await page.evaluate(follow, ['a', 1, 2]), [
      { offset: 1, value: 2 },
      { offset: 2, value: 3 },
    ]);

    // Those who follow get what comes.
    const coming = page.evaluate(follow, ['a', 3, 1]);
    assert.deepEqual(await page.evaluate(post, ['a', [4]]), [3]);
    assert.deepEqual(await coming, [{ offset: 3, value: 4 }]);

    // An eviction, and the end of the process, leave what was acked.
    await page.evaluate(get, '/a/evict');
    assert.deepEqual(await page.evaluate(post, ['a', [5]]), [4]);
    await server.stop();
    server = await start();
    page = await openPage(browser, server.url);
    assert.deepEqual(
      await page.evaluate(follow, ['a', 0, 5]),
      [1, 2, 3, 4, 5].map((value, offset) => ({ offset, value })),
    );

    // The alarm runs the background work, and comes again.
    await page.evaluate(get, '/a/alarm');
    await page.waitForFunction(async () => (await (await fetch('/a/alarms')).json()) > 0);

    // Without an object a log lives in one request, and the next is told so at once.
    const [first, second] = await page.evaluate(plain);
    assert.equal(first, '{"offset":0}');
    assert.match(second, /on behalf of a different request/);
  } finally {
    await browser.close();
    await server.stop();
    rmSync(persist, { recursive: true });
  }
}

async function openPage(browser, url) {
  const page = await browser.newPage();
  await page.goto(url);
  return page;
}

// What runs in the page.

async function post([tenant, values]) {
  const offsets = [];
  for (const value of values) {
    const response = await fetch(`/${tenant}`, { method: 'POST', body: JSON.stringify(value) });
    offsets.push((await response.json()).offset);
  }
  return offsets;
}

/** The next `count` orders from an offset on. */
function follow([tenant, from, count]) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://${location.host}/${tenant}?from=${from}`);
    const orders = [];
    socket.addEventListener('message', ({ data }) => {
      orders.push(JSON.parse(data));
      if (orders.length < count) return;
      socket.close();
      resolve(orders);
    });
    socket.addEventListener('close', ({ reason }) => reject(new Error(`closed: ${reason}`)));
  });
}

async function get(pathname) {
  await fetch(pathname);
}

async function plain() {
  const answers = [];
  for (let i = 0; i < 2; i++) {
    const response = await fetch('/plain', { signal: AbortSignal.timeout(5_000) });
    answers.push(await response.text());
  }
  return answers;
}
