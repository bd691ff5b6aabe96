import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { mount } from 'svelte';
import { deleteLog, json, listLogs, openLog, topic } from 'tablog';
import { inline } from 'tablog/inline';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createApp } from 'vue';
import { RestProxy } from '../connect/rest-proxy.ts';

/** What the examples have printed, a row a call. */
const printed: unknown[][] = [];
beforeEach(() => {
  printed.length = 0;
  vi.spyOn(console, 'log').mockImplementation((...values) => void printed.push(values));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe('README’s examples run as they are shown, with the worker that a user gets', () => {
  test('the first sample', async () => {
    void import('./first-sample.ts'); // its loop has no end
    await vi.waitFor(() => expect(printed).toHaveLength(2), 10_000);
    expect(printed).toEqual([
      [expect.stringMatching(/^stored in partition [0-3] at offset 0$/)],
      [0, { id: 'o1', qty: 2 }],
    ]);
  });

  test('the tour', async () => {
    await import('./tour.ts');
    const [placed, ...rest] = printed;
    expect(placed).toEqual([expect.any(Number), 0]);
    expect(new Set(rest.slice(0, -1).flat())).toEqual(new Set([1, 2]));
    expect(rest.at(-1)).toEqual([[0, 0, 0, 0]]);
  });

  test('exactly once, retention, and log files', async () => {
    await import('./upkeep.ts');
    expect(printed).toEqual([[0], [1], [1, 1]]);
  });

  test('a store of one’s own', async () => {
    await import('./own-store.ts');
    expect(printed).toEqual([[['tenant-1'], 0]]);
  });

  test('the offline queue: posts again when the server says so, and each record by its id', async () => {
    const posted: { id: string; type: string }[][] = [];
    const answers = [
      new Response('', { status: 500 }),
      new Response('', { status: 503, headers: { 'retry-after': '0' } }),
      new Response('', { headers: { 'retry-after': '0' } }),
    ];
    vi.stubGlobal('fetch', async (_: string, { body }: { body: string }) => {
      posted.push(JSON.parse(body) as { id: string; type: string }[]);
      return answers.shift() ?? new Response();
    });
    const { track } = await import('./offline-queue.ts');
    await track('opened');
    await vi.waitFor(() => expect(posted).toHaveLength(3), 10_000);
    expect(posted[0]).toMatchObject([{ type: 'opened' }]);
    expect(posted[1]).toEqual(posted[0]);
    expect(posted[2]).toEqual(posted[0]);
    dispatchEvent(new Event('pagehide'));
    await vi.waitFor(() => expect(posted).toHaveLength(4), 10_000);
    expect(posted[3]).toMatchObject([{ type: 'left' }]);
    expect(posted[3]![0]!.id).not.toBe(posted[0]![0]!.id);
    answers.push(new Response('', { status: 400 }));
    await track('bad');
    await vi.waitFor(() => expect(posted).toHaveLength(5), 10_000);
    await track('behind');
    await vi.waitFor(() => expect(posted.at(-1)).toMatchObject([{ type: 'behind' }]), 10_000);
  });

  test('the work queue: what fails for good is a dead letter, and stops nothing', async () => {
    const fetched: string[] = [];
    vi.stubGlobal('fetch', async (url: string) => {
      fetched.push(url);
      return new Response('', { status: url === '/bad' ? 500 : 200 });
    });
    const { add } = await import('./work-queue.ts');
    await Promise.all([add('u1', '/bad'), add('u1', '/good')]);
    await vi.waitFor(() => expect(fetched).toEqual(['/bad', '/bad', '/bad', '/good']), 10_000);
    await vi.waitFor(
      () => expect(printed).toEqual([['/bad', 'Error: it answered 500', '3']]),
      10_000,
    );
  });

  test('Kafka, by a REST proxy', async () => {
    const proxy = new RestProxy({ 'web-visits': 4 });
    vi.stubGlobal('fetch', proxy.fetch);
    const { connector, log } = await import('./kafka.ts');
    await log.producer().send('visits', { value: '{"page":"/"}', partition: 2 });
    await connector.drain();
    await connector.close();
    expect(proxy.values('web-visits', 2)).toEqual([
      expect.objectContaining({ topic: 'visits', value: { page: '/' } }),
    ]);
  });

  test('who is here', async () => {
    const { names } = await import('./presence.ts');
    expect(names()).toEqual(['Ada']);
    dispatchEvent(new Event('pagehide'));
    await vi.waitFor(() => expect(names()).toEqual([]), 10_000);
  });

  test('the latest value of each key', async () => {
    await import('./latest-value.ts');
    await vi.waitFor(() => expect(printed).toHaveLength(2), 10_000);
    expect(printed).toEqual([
      ['dark', 1],
      ['theme', 'light'],
    ]);
  });

  test('what happens by itself', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const { showNotices } = await import('./notices.ts');
    const notices: string[] = [];
    const showing = showNotices((notice) => notices.push(notice));
    await deleteLog('notes');
    await showing;
    expect(notices).toEqual(['The notes are gone from this device: reload the page.']);
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/^tablog: log 'notes': CLOSED: the log 'notes' was deleted/)],
    ]);
  });

  test('when something goes wrong: reads on behind a loss, and each note once', async () => {
    const notes = topic('notes', { value: json<{ id: string; text: string }>() });
    // A broker of its own: the one of the example has nothing in memory.
    const filled = await openLog('desk', { host: inline() });
    await filled.admin.createTopics([notes]);
    for (const id of ['a', 'b', 'c', 'c']) {
      await filled.producer().send(notes, { value: { id, text: id } });
    }
    await filled.close();
    await loseFirstRecord('tablog/desk');

    const { readNotes, save } = await import('./losses.ts');
    const read: string[] = [];
    const lost = vi.fn<(count: number) => void>();
    const ended = readNotes(({ id }) => read.push(id), lost).catch(String);
    await vi.waitFor(() => expect(read).toEqual(['b', 'c']), 10_000);
    expect(lost.mock.calls).toEqual([[1]]);
    expect(await save({ id: 'd', text: 'd' })).toBe(true);
    await vi.waitFor(() => expect(read).toEqual(['b', 'c', 'd']), 10_000);
    await deleteLog('desk');
    expect(await save({ id: 'e', text: 'e' })).toBe(false);
    expect(await ended).toMatch(/CLOSED/);
  });

  test('schemas that are looked up: a registry that is away holds up, and skips nothing', async () => {
    const answers = [200, 503, 200];
    const fetched: string[] = [];
    vi.stubGlobal('fetch', async (url: string) => {
      // The offline queue's example, which ran before, goes on for as long as the page.
      if (!url.startsWith('/schemas/')) return new Response(null, { status: 503 });
      fetched.push(url);
      return new Response('["id","qty"]', { status: answers.shift()! });
    });
    await import('./schemas.ts');
    expect(printed).toEqual([[{ id: 'o1', qty: 2 }]]);
    expect(fetched).toEqual(Array<string>(3).fill('/schemas/order-1'));
  });

  test('a mirror', async () => {
    await import('./mirror.ts');
    expect(printed).toEqual([[0, 1]]);
  });

  test('a log a user', async () => {
    const { signIn, signOut, forgetEverybody } = await import('./accounts.ts');
    const log = await signIn('ada@example.org');
    await signIn('日本|1');
    await signOut('ada@example.org');
    await expect(log.admin.listTopics()).rejects.toMatchObject({
      code: 'CLOSED',
      details: { reason: 'deleted' },
    });
    await forgetEverybody();
    expect((await listLogs()).filter((name) => name.startsWith('user-'))).toEqual([]);
  });
});

describe('README’s components show a table as it is now', () => {
  let place: HTMLElement;
  beforeEach(() => {
    place = document.body.appendChild(document.createElement('div'));
    onTestFinished(() => place.remove());
  });

  async function showsPrices(): Promise<void> {
    const { prices, setPrice } = await import('./price-table.ts');
    await prices.ready;
    for (const price of [3, 4]) {
      await setPrice('tea', price);
      await vi.waitFor(() => expect(place.textContent).toContain(`tea: ${price}`), 10_000);
    }
  }

  test('React, in StrictMode', async () => {
    const { Prices } = await import('./prices.tsx');
    const root = createRoot(place);
    root.render(
      <StrictMode>
        <Prices />
      </StrictMode>,
    );
    await showsPrices();
    root.unmount();
  });

  test('React: what comes, in a list, once under StrictMode', async () => {
    const { LatestOrders, place: order } = await import('./latest-orders.tsx');
    const root = createRoot(place);
    root.render(
      <StrictMode>
        <LatestOrders />
      </StrictMode>,
    );
    await vi.waitFor(() => expect(place.querySelector('ol')).not.toBeNull());
    await order('o1', 2);
    await order('o2', 3);
    await vi.waitFor(() => expect(place.textContent).toBe('o2: 3o1: 2'), 10_000);
    root.unmount();
  });

  test('Vue', async () => {
    const { default: Prices } = await import('./prices.vue');
    const app = createApp(Prices);
    app.mount(place);
    await showsPrices();
    app.unmount();
  });

  test('Svelte', async () => {
    const { default: Prices } = await import('./prices.svelte');
    mount(Prices, { target: place });
    await showsPrices();
  });
});

/** Deletes the row with the record at offset 0, as a browser that loses data. */
async function loseFirstRecord(database: string): Promise<void> {
  const db = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(database);
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error!));
  });
  const tx = db.transaction('partition-000', 'readwrite');
  tx.objectStore('partition-000').delete(0);
  await new Promise((resolve) => tx.addEventListener('complete', resolve));
  db.close();
}
