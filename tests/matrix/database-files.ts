import { readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { MatrixApi } from './page/main.ts';
import type { Actor, Run } from './run.ts';

declare const api: MatrixApi;

/** The folders of a site's IndexedDB in a profile: of Chromium, Firefox and WebKitGTK. */
const DATABASES = /[/\\](indexeddb|idb)[/\\]/i;
/** Where Firefox keeps databases of its own. */
const BROWSERS_OWN = /[/\\]permanent[/\\]/;

/** The files of the databases of sites in a profile, which is not in use. */
export function databaseFiles(profile: string): string[] {
  const names = readdirSync(profile, { recursive: true, encoding: 'utf8' });
  const files = names
    .filter((name) => DATABASES.test(name) && !BROWSERS_OWN.test(name))
    .map((name) => path.join(profile, name))
    .filter((file) => statSync(file).isFile());
  if (files.length === 0) throw new Error('the profile has no databases');
  return files;
}

/**
 * Has one tab after the other leave its log, and quits the browser. Tabs of WebKit that leave at the
 * same moment overwrite what each other has noted of the log.
 */
export async function leaveAndQuit(run: Run): Promise<void> {
  for (const { page } of run.actors) await page.evaluate(() => api.leaveLog());
  await run.profile.quit();
}

/**
 * Opens tabs on a log that may be damaged, as an application does that cares for its log: where the
 * log cannot be opened, another one is made in its place; where that cannot be, or not all of the
 * log can be read, the browser's data are removed. Topics that cannot be used are made anew.
 */
export async function openWhatIsLeft(run: Run, count: number): Promise<void> {
  const first = await run.openTab();
  const isUsable = (await open(run, first, 'error')) || (await open(run, first, 'recreate'));
  if (isUsable) {
    await run.work(first);
    await run.openActors(count - 1);
    return;
  }
  await run.profile.quit();
  for (const file of databaseFiles(run.profile.folder)) rmSync(file);
  await run.startBrowser();
  await run.openActors(count);
}

/** Whether a tab could open the log, and read all of it. */
async function open(run: Run, tab: Actor, onUnrecoverable: 'error' | 'recreate'): Promise<boolean> {
  const opened = await run.open(tab, { onUnrecoverable });
  const code =
    opened === 'opened' ? await tab.page.evaluate(() => api.replaceDamagedTopics()) : opened;
  if (code !== null) run.events.push({ at: Date.now(), kind: 'unusable', code });
  return code === null;
}
