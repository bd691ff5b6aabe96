import type { Page } from 'playwright';
import { beforeEach, describe, expect, it } from 'vitest';
import { newTab } from '../support/browser.ts';
import { needs, useBrowser, usePage } from './fixture.ts';

const page = usePage();

const QUOTA_BYTES = 30_000_000;
/** Larger than 64 KiB: rows that LevelDB keeps as files, whose room a deletion gives back. */
const RECORD_BYTES = 200_000;

describe('a full origin', () => {
  needs('cdp');

  const browser = useBrowser();
  let tab: Page;
  let quota: (quotaSize?: number) => Promise<unknown>;

  beforeEach(async () => {
    tab = await newTab(browser.context, page.server.url);
    const session = await tab.context().newCDPSession(tab);
    quota = (quotaSize) =>
      session.send('Storage.overrideQuotaForOrigin', {
        origin: page.server.url,
        ...(quotaSize !== undefined && { quotaSize }),
      });
    await quota(QUOTA_BYTES); // later, Chromium's cached headroom would hide it
    await tab.evaluate(async (size) => {
      await window.api.open('shop', 'default');
      window.api.full = await window.api.fillOrigin(window.api.mustGetLog(), size);
    }, RECORD_BYTES);
  });

  it('is read, and trimmed by deleteRecords; then producing goes on', async () => {
    const found = await tab.evaluate(async (size) => {
      const full = window.api.full!;
      const log = window.api.mustGetLog();
      const refused = await full.send(100);
      const before = await full.read();
      const to = Math.floor(full.acked.length / 2);
      const [deleted] = await log.admin.deleteRecords([
        { topic: 'full', partition: 0, before: to },
      ]);
      const stored = await full.sendUntilStored(size);
      return { refused, before, to, deleted, stored, acked: full.acked, after: await full.read() };
    }, RECORD_BYTES);
    expect(found.refused).toBe('STORAGE_FULL');
    expect(found.before).toEqual(found.acked.slice(0, -1));
    expect(found.deleted).toMatchObject({ startOffset: found.to });
    expect(found.stored).toBe(found.before.length);
    expect(found.after).toEqual(found.acked.slice(found.to));
  });

  it('loses a topic by deleteTopics, and takes other settings', async () => {
    const found = await tab.evaluate(async (size) => {
      const full = window.api.full!;
      const log = window.api.mustGetLog();
      await log.admin.alterTopics([
        { topic: 'full', config: { retention: { bytes: 50_000_000 } } },
      ]);
      await log.admin.deleteTopics(['other']);
      const stored = await full.sendUntilStored(size);
      return { stored, acked: full.acked, read: await full.read() };
    }, RECORD_BYTES);
    expect(found.stored).toBe(found.acked.length - 1);
    expect(found.read).toEqual(found.acked);
  });

  it('shrinks to the budget that alterLog gives it', async () => {
    const found = await tab.evaluate(async (size) => {
      const full = window.api.full!;
      const log = window.api.mustGetLog();
      const trimmed = new Promise<void>((resolve) => {
        const poll = async (): Promise<void> => {
          const { bytes } = await log.admin.describeLog();
          // Whole rows go, of up to 1 MiB, as long as the budget is exceeded.
          if (bytes < 8_000_000) resolve();
          else setTimeout(() => void poll(), 200);
        };
        void poll();
      });
      await log.admin.alterLog({ maxBytes: 5_000_000 });
      await trimmed;
      return {
        stored: await full.sendUntilStored(size),
        acked: full.acked,
        read: await full.read(),
      };
    }, RECORD_BYTES);
    expect(found.stored).toBe(found.acked.length - 1);
    expect(found.read).toEqual(found.acked.slice(-found.read.length));
  });

  it('is drained by a group, though producers keep trying', async () => {
    const found = await tab.evaluate(async (size) => {
      const full = window.api.full!;
      const log = window.api.mustGetLog();
      const count = full.acked.length;
      const consumer = log.consumer({ group: 'upload', topics: [full.topic], from: 'earliest' });
      const read: string[] = [];
      for await (const { key } of consumer) {
        read.push(key!);
        if (read.length === count) break;
        await full.send(size); // refused, but for room that the backend has found meanwhile
      }
      await consumer.close();
      const [committed] = await log.admin.listGroupOffsets('upload');
      const before = committed!.offset;
      await log.admin.deleteRecords([{ topic: 'full', partition: 0, before }]);
      const stored = await full.sendUntilStored(size);
      const left = await full.read();
      return { count, read, before, stored, acked: full.acked, left };
    }, RECORD_BYTES);
    expect(found.read).toEqual(found.acked.slice(0, found.count));
    expect(found.before).toBe(found.count - 1);
    expect(found.stored).toBe(found.acked.length - 1);
    expect(found.left).toEqual(found.acked.slice(found.before));
  });

  it('takes records again when it is no longer full', async () => {
    await quota();
    const found = await tab.evaluate(async (size) => {
      const full = window.api.full!;
      return {
        stored: await full.sendUntilStored(size),
        acked: full.acked,
        read: await full.read(),
      };
    }, RECORD_BYTES);
    expect(found.stored).toBe(found.acked.length - 1);
    expect(found.read).toEqual(found.acked);
  });
});
