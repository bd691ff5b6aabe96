import type { Browser, BrowserContext } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { TestContext } from 'vitest';
import type { Ability } from '../engines/engine.ts';
import { lackOf, selectedEngine } from '../engines/engines.ts';
import { newProfile, startBrowser } from '../support/browser.ts';
import type { Profile } from '../support/browser.ts';
import { servePage } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';

/** Skips the tests of the suite, with the reason, where the engine's driver lacks an ability. */
export function needs(...abilities: readonly Ability[]): void {
  beforeEach(({ skip }) => needsNow(skip, ...abilities));
}

/** The same for one test. */
export async function needsNow(
  skip: TestContext['skip'],
  ...abilities: readonly Ability[]
): Promise<void> {
  const lack = lackOf(await selectedEngine(), abilities);
  if (lack !== undefined) skip(lack);
}

/** The page of these tests, served for as long as a file's tests run. */
export function usePage(): { readonly server: PageServer } {
  const used = {} as { server: PageServer };
  beforeAll(async () => {
    used.server = await servePage(new URL('./page', import.meta.url).pathname);
  });
  afterAll(() => used.server.close());
  return used;
}

/** A browser on a fresh profile for each test; a test that starts it again replaces `context`. */
export function useBrowser(): { readonly profile: Profile; context: BrowserContext } {
  const used = {} as { profile: Profile; context: BrowserContext };
  beforeEach(async () => {
    used.profile = await newProfile();
    used.context = await used.profile.start();
  });
  afterEach(() => used.profile.remove());
  return used;
}

/**
 * One browser for all tests of a file, and a context of its own for each: for tests that ask nothing
 * of the disk, since such a context has its databases in memory.
 */
export function useContext(): { readonly context: BrowserContext } {
  const used = {} as { context: BrowserContext };
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  beforeEach(async () => {
    used.context = await browser.newContext();
  });
  afterEach(() => used.context.close());
  afterAll(() => browser.close());
  return used;
}

/**
 * The page of these tests and one browser with a profile on disk, for all tests of a file; each test
 * has an origin of its own, and with it databases, locks and workers of its own.
 */
export function useOrigins(): { readonly context: BrowserContext; readonly url: string } {
  const page = usePage();
  const used = {} as { context: BrowserContext; url: string };
  let profile: Profile;
  let origins = 0;
  beforeAll(async () => {
    profile = await newProfile();
    used.context = await profile.start();
  });
  beforeEach(() => {
    used.url = page.server.url.replace('localhost', `test-${++origins}.localhost`);
  });
  afterEach(async () => {
    for (const tab of used.context.pages().slice(1)) await tab.close(); // the first is the browser's own
  });
  afterAll(() => profile.remove());
  return used;
}
