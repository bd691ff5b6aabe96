import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { LazyModule } from '../../src/base/lazy-module.ts';
import { loadModules } from '../../src/client/load-modules.ts';
import { errorOf } from '../support/broker-fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';

describe('a part', () => {
  test('is loaded once, however often it is asked for', async () => {
    const load = vi.fn(async () => ({ name: 'module' }));
    const part = new LazyModule('groups', load);
    const [first, second] = await Promise.all([part.load(), part.load()]);
    expect(first).toEqual({ name: 'module' });
    expect(second).toBe(first);
    expect(await part.load()).toBe(first);
    expect(load).toHaveBeenCalledOnce();
  });

  test('that somebody has brought along is not loaded at all', async () => {
    const load = vi.fn(async () => ({ name: 'loaded' }));
    const part = new LazyModule('groups', load);
    part.provide({ name: 'brought' });
    expect(await part.load()).toEqual({ name: 'brought' });
    expect(load).not.toHaveBeenCalled();
  });

  test('that cannot be loaded says which, why, and to reload; the next call asks again', async () => {
    const cause = new TypeError('error loading dynamically imported module: http://a/b.js');
    const load = vi.fn(async () => ({ name: 'module' })).mockRejectedValueOnce(cause);
    const part = new LazyModule('transactions', load);
    const [error, same] = await Promise.all([errorOf(part.load()), errorOf(part.load())]);
    expect(error).toBe(same);
    expect(error).toMatchObject({
      code: 'LOAD_FAILED',
      retriable: false, // Firefox and WebKit would fail the same way until the page is reloaded
      details: { part: 'transactions' },
      cause,
    });
    expect(error.message).toMatch(/the code of transactions.*http:\/\/a\/b\.js.*reload the page/);
    expect(await part.load()).toEqual({ name: 'module' }); // as Chromium does
  });
});

test('parts are loaded side by side, within 10 s also where a server says nothing', async () => {
  const clock = new ManualClock();
  const load = vi.fn(async () => ({}));
  const silent = new LazyModule('transactions', () => new Promise<object>(() => {}));
  const failed = errorOf(loadModules(clock, [silent, new LazyModule('groups', load)]));
  expect(load).toHaveBeenCalled();
  clock.advance(9_750);
  clock.advance(250); // the grace of a deadline
  const error = await failed;
  expect(error).toMatchObject({ code: 'LOAD_FAILED', details: { part: 'transactions' } });
  expect(error.message).toContain('nothing came in 9750 ms');
});

test('openLog loads every part that there is', async () => {
  const folder = new URL('../../src/client/', import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /(^|\/)lazy-[^/]+\.ts$/.test(file.replaceAll('\\', '/')),
  );
  expect(files).toContain(path.join('fetch', 'lazy-codecs.ts'));
  const loads = await Promise.all(
    files.map(async (file) => {
      const module = (await import(new URL(file, folder).href)) as Record<
        string,
        LazyModule<object>
      >;
      return Object.values(module).map((part) => vi.spyOn(part, 'load'));
    }),
  );
  await loadModules(new ManualClock());
  const isLoaded = loads.map((spies) => spies.every((spy) => spy.mock.calls.length === 1));
  expect(Object.fromEntries(files.map((file, i) => [file, isLoaded[i]]))).toEqual(
    Object.fromEntries(files.map((file) => [file, true])),
  );
});
