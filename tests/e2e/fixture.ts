import type { BrowserContext } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { newProfile } from '../support/browser.ts';
import type { Profile } from '../support/browser.ts';
import { servePage } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';

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
