import { readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { MatrixApi } from './page/main.ts';
import type { Run } from './run.ts';

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

/** Has every tab leave its log, and quits the browser. */
export async function leaveAndQuit(run: Run): Promise<void> {
  await Promise.all(run.actors.map(({ page }) => page.evaluate(() => api.leaveLog())));
  await run.profile.quit();
}

/**
 * Opens tabs on a log that may be damaged, as an application does that cares for its log: where the
 * log cannot be opened, another one is made in its place; where that cannot be, the browser's data
 * are removed.
 */
export async function openWhatIsLeft(run: Run, count: number): Promise<void> {
  const first = await run.openTab();
  for (const onUnrecoverable of ['error', 'recreate'] as const) {
    const opened = await run.open(first, { onUnrecoverable });
    if (opened === 'opened') {
      await run.work(first);
      await run.openActors(count - 1);
      return;
    }
    run.events.push({ at: Date.now(), kind: 'unopened', code: opened });
  }
  await run.profile.quit();
  for (const file of databaseFiles(run.profile.folder)) rmSync(file);
  await run.startBrowser();
  await run.openActors(count);
}
