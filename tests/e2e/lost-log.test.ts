import {
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  openSync,
  writeSync,
  closeSync,
} from 'node:fs';
import path from 'node:path';
import type { BrowserContext, Page } from 'playwright';
import { afterEach, describe, expect, it } from 'vitest';
import type { TestContext } from 'vitest';
import { selectedEngine } from '../engines/engines.ts';
import { newProfile, newTab } from '../support/browser.ts';
import type { Profile } from '../support/browser.ts';
import { usePage } from './fixture.ts';

const page = usePage();

type Backend = 'leveldb' | 'sqlite';

/** The engine whose files the backend writes. */
const ENGINES = { leveldb: 'chromium', sqlite: 'chromium-sqlite' } as const;

let profile: Profile | undefined;
let context: BrowserContext;
afterEach(async () => {
  await profile?.remove();
  profile = undefined;
});

/** Skips the test in an engine with other files than those of `backend`; undefined: any will do. */
async function startBrowser(skip: TestContext['skip'], backend?: Backend): Promise<void> {
  const { name } = await selectedEngine();
  if (backend !== undefined && name !== ENGINES[backend]) skip(`the files are those of ${backend}`);
  profile = await newProfile();
  context = await profile.start();
}

const openPage = (): Promise<Page> => newTab(context, page.server.url);

/** Fills both partitions of a topic, half of each read by a group; returns the log's id. */
async function fillLog(count: number): Promise<string> {
  const tab = await openPage();
  return tab.evaluate(async (records) => {
    const { openLog, topic, string } = window.api;
    const log = await openLog('shop');
    const orders = topic('orders', { value: string(), partitions: 2 });
    await log.admin.createTopics([orders]);
    const producer = log.producer({ lingerMs: 0 });
    for (let i = 0; i < records; i++) {
      const value = `${i} ${'x'.repeat(300)}`;
      await Promise.all([0, 1].map((partition) => producer.send(orders, { value, partition })));
    }
    const consumer = log.consumer({ group: 'g', topics: [orders], from: 'earliest' });
    let left = records;
    for await (const _ of consumer) if (--left === 0) break;
    await consumer.close();
    const { logId } = await log.admin.describeLog();
    await log.close();
    return logId;
  }, count);
}

/** Quits the browser, changes the files of its databases, and starts it again. */
async function changeFiles(change: (files: readonly string[]) => void): Promise<void> {
  await profile!.quit();
  const folder = path.join(profile!.folder, 'Default/IndexedDB');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const files = names
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file).isFile());
  change(files);
  context = await profile!.start();
}

function theLog(files: readonly string[]): string {
  const [file, ...others] = files.filter((name) => name.endsWith('.log'));
  if (file === undefined || others.length > 0) throw new Error(`no one log: ${files.join()}`);
  return file;
}

/** Overwrites the beginning of each file of SQLite. */
function garbleHeader(files: readonly string[]): void {
  for (const file of files.filter((name) => !/-wal|-shm|journal/.test(name))) {
    const open = openSync(file, 'r+');
    writeSync(open, Buffer.alloc(100, 0x5a), 0, 100, 0);
    closeSync(open);
  }
}

/** Opens the log as an application does, and uses it. */
async function useLog(how: { onUnrecoverable?: 'recreate'; member?: { group: string } } = {}) {
  const tab = await openPage();
  return tab.evaluate(async ({ onUnrecoverable = 'error' as const, member = {} }) => {
    const { openLog, topic, string } = window.api;
    const lines: string[] = [];
    const logger = (_: unknown, line: string): void => void lines.push(line);
    const log = await openLog('shop', { logger, onUnrecoverable });
    const told: Record<string, unknown>[] = [];
    const listen = async (): Promise<void> => {
      for await (const { timestamp: _, ...status } of log.status()) {
        const { error } = status as { error?: { details: unknown } };
        told.push(error === undefined ? status : { ...status, error: error.details });
      }
    };
    void listen();
    const orders = topic('orders', { value: string(), partitions: 2 });
    await log.admin.createTopics([orders]);
    const sent: number[] = [];
    for (const partition of [0, 1]) {
      const { offset } = await log.producer().send(orders, { value: 'new', partition });
      sent.push(offset);
    }
    const { logId } = await log.admin.describeLog();
    /** What a reader gets who seeks past what is lost. */
    const read: number[] = [];
    const consumer = log.consumer({ topics: [orders], from: 'earliest', ...member });
    const skipped: number[] = [];
    const news = new Set<number>();
    while (news.size < 2) {
      try {
        for await (const { partition, offset, value } of consumer) {
          read.push(offset);
          if (value === 'new') news.add(partition);
          if (news.size === 2) break;
        }
      } catch (error) {
        const { code, details } = error as { code: string; details: Record<string, number> };
        if (code !== 'LOG_CORRUPT') throw error;
        const where = { topic: orders, partition: details['partition']! };
        await consumer.seek(details['to']!, where);
        skipped.push(details['to']! - details['from']!);
      }
    }
    await consumer.close();
    await log.close();
    return { logId, told, lines, sent, read: read.length, skipped };
  }, how);
}

const RECORDS = 300;

describe('a log whose file is cut short while the browser is closed', () => {
  it.for([0.5, 0.9])(
    'at %d: tells the lost records, and gives no offset again',
    async (part, { skip }) => {
      await startBrowser(skip, 'leveldb');
      const id = await fillLog(RECORDS);
      await changeFiles((files) => {
        const file = theLog(files);
        truncateSync(file, Math.floor(statSync(file).size * part));
      });
      const { logId, told, lines, sent, read, skipped } = await useLog();
      expect(logId).toBe(id);
      for (const partition of [0, 1]) {
        const lost = { topic: 'orders', partition, from: expect.any(Number), to: RECORDS };
        const offset = expect.any(Number);
        const status = { type: 'recordsLost', topic: 'orders', partition, offset, error: lost };
        expect(told).toContainEqual(status);
      }
      expect(lines.filter((line) => line.includes('are gone')).length).toBeGreaterThanOrEqual(2);
      expect(sent).toEqual([RECORDS, RECORDS]);
      expect(skipped).toHaveLength(2);
      expect(read + skipped[0]! + skipped[1]!).toBe(2 * RECORDS + 2);
      const again = await useLog();
      expect(again.sent).toEqual([RECORDS + 1, RECORDS + 1]);
    },
  );
});

describe('a log that is gone while the browser is closed', () => {
  const losses: readonly (readonly [string, Backend, (files: readonly string[]) => void])[] = [
    ['its file is empty', 'leveldb', (files) => truncateSync(theLog(files), 0)],
    ['its file is deleted', 'leveldb', (files) => rmSync(theLog(files))],
    [
      'its manifest is garbage',
      'leveldb',
      (files) => files.filter((f) => f.includes('MANIFEST')).forEach((f) => writeFileSync(f, '?')),
    ],
    ['all is deleted', 'leveldb', (files) => files.forEach((file) => rmSync(file))],
    ['all is deleted', 'sqlite', (files) => files.forEach((file) => rmSync(file))],
  ];

  it.for(losses)(
    'for %s (%s): a new one begins, and is told',
    async ([, backend, lose], { skip }) => {
      await startBrowser(skip, backend);
      const previousLogId = await fillLog(20);
      await changeFiles(lose);
      const member = { group: 'g' };
      const { logId, told, lines, sent, read } = await useLog({ member });
      expect(logId).not.toBe(previousLogId);
      expect(told[0]).toEqual({ type: 'logReset', previousLogId, logId });
      expect(lines[0]).toContain(`the log ${previousLogId} was lost`);
      expect(sent).toEqual([0, 0]);
      expect(read).toBe(2); // the group's old offsets skip nothing
      expect((await useLog()).told[0]).not.toMatchObject({ type: 'logReset' });
    },
  );
});

describe('a log that is gone together with what its tabs knew of it', () => {
  it('is told, because the browser tells that it has deleted what was damaged (leveldb)', async ({
    skip,
  }) => {
    await startBrowser(skip, 'leveldb');
    await fillLog(20);
    await changeFiles((files) => {
      for (const file of files) if (file.includes('MANIFEST')) writeFileSync(file, '?');
    });
    const tab = await openPage();
    await tab.evaluate(() => localStorage.clear());
    const { logId, told, lines } = await useLog();
    expect(told[0]).toEqual({ type: 'logReset', logId });
    expect(lines[0]).toContain('the earlier log was lost');
    expect((await useLog()).told[0]).not.toMatchObject({ type: 'logReset' });
  });
});

describe('a database that can never be opened again', () => {
  it('is an error, or set aside: one log for all from then on (sqlite)', async ({ skip }) => {
    await startBrowser(skip, 'sqlite');
    const previousLogId = await fillLog(20);
    await changeFiles(garbleHeader);
    await expect(useLog()).rejects.toThrow(/STORAGE_UNAVAILABLE/);
    const { logId, told, sent } = await useLog({ onUnrecoverable: 'recreate' });
    const setAside = 'tablog/shop';
    expect(told[0]).toEqual({ type: 'logReset', previousLogId, logId, setAside });
    expect(sent).toEqual([0, 0]);
    expect(await useLog()).toMatchObject({ logId, sent: [1, 1] });
    await profile!.quit();
    context = await profile!.start();
    expect(await useLog()).toMatchObject({ logId, sent: [2, 2] });
    const tab = await openPage();
    const left = await tab.evaluate(async () => {
      const logs = await window.api.listLogs();
      await window.api.deleteLog('shop').catch(() => {});
      return { logs, after: await window.api.listLogs() };
    });
    expect(left.logs).toEqual(['shop']);
  });

  it('is an error with either policy, where no database can be opened (leveldb)', async ({
    skip,
  }) => {
    await startBrowser(skip, 'leveldb');
    await fillLog(20);
    await changeFiles((files) =>
      files.filter((f) => !f.endsWith('CURRENT')).forEach((f) => rmSync(f)),
    );
    await expect(useLog()).rejects.toThrow(/STORAGE_UNAVAILABLE/);
    await expect(useLog({ onUnrecoverable: 'recreate' })).rejects.toThrow(/STORAGE_UNAVAILABLE/);
  });
});

describe('a log that is emptied while it is used', () => {
  const losses: readonly (readonly [string, (tab: Page) => Promise<unknown>])[] = [
    [
      'the user clears its data',
      async (tab) => {
        await profile!.clearDatabases(tab);
      },
    ],
    [
      'another script deletes the database',
      (tab) =>
        tab.evaluate(
          () =>
            new Promise<void>((resolve) => {
              const request = indexedDB.deleteDatabase('tablog/shop');
              request.addEventListener('success', () => resolve());
            }),
        ),
    ],
  ];

  it.for(losses)(
    'for %s: all that runs is told, and goes on in the new log',
    async ([, lose], { skip }) => {
      await startBrowser(skip);
      const previousLogId = await fillLog(20);
      const tab = await openPage();
      const running = tab.evaluate(async () => {
        const log = await window.api.openLog('shop');
        const told: string[] = [];
        const listening = (async () => {
          for await (const { type } of log.status()) told.push(type);
        })();
        const endless = async (work: () => Promise<unknown>): Promise<string> => {
          for (;;) {
            try {
              await work();
            } catch (error) {
              const { code, details } = error as { code: string; details: { reason: string } };
              return `${code} ${details.reason}`;
            }
          }
        };
        const consumer = log.consumer({ group: 'g', topics: ['orders'], from: 'earliest' });
        let read = 0;
        const reading = endless(async () => {
          for await (const _ of consumer) if (++read === 40) document.title = 'runs';
        });
        const producer = log.producer();
        const sending = endless(() => producer.send('orders', { value: 'late' }));
        const transactional = log.producer({ transactionalId: 'copier' });
        const transacting = endless(() =>
          transactional.transaction((tx) => {
            tx.send('orders', { value: 'later' });
            tx.commitOffsets(consumer);
          }),
        );
        const ends = await Promise.all([reading, sending, transacting]);
        await listening;
        return { ends, last: told.at(-1) };
      });
      await tab.waitForFunction('document.title === "runs"');
      await lose(await openPage());
      const { ends, last } = await running;
      expect(ends).toEqual(Array.from({ length: 3 }, () => 'CLOSED deleted'));
      expect(last).toBe('logDeleted');

      const { logId, told, sent, read } = await useLog({ member: { group: 'g' } });
      expect(told[0]).toEqual({ type: 'logReset', previousLogId, logId });
      expect(sent).toEqual([0, 0]);
      expect(read).toBe(2);
      const offset = await tab.evaluate(async () => {
        const log = await window.api.openLog('shop');
        const producer = log.producer({ transactionalId: 'copier' });
        const { placements } = await producer.transaction((tx) => {
          tx.send('orders', { value: 'x', partition: 0 });
        });
        await log.close();
        return placements[0]!.offset;
      });
      expect(offset).toBe(1);
    },
  );

  it('deleted by deleteLog(): the next log is no loss', async ({ skip }) => {
    await startBrowser(skip);
    await fillLog(5);
    const tab = await openPage();
    await tab.evaluate(() => window.api.deleteLog('shop'));
    expect((await useLog()).told[0]).not.toMatchObject({ type: 'logReset' });
  });
});
