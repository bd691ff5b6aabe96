import { defineBrowserProvider } from '@vitest/browser';
import { playwright } from '@vitest/browser-playwright';
import type { BrowserProviderOption } from 'vitest/node';
import type { Engine, RunningBrowser } from './engine.ts';

/** Runs Vitest's browser tests in an engine, on a profile on disk as users' databases are. */
export function browserProvider(engine: Engine, profile: string): BrowserProviderOption {
  if (engine.launch === undefined) return engineProvider(engine, profile);
  return playwright({ persistentContext: profile, launchOptions: engine.launch });
}

/** Vitest's browser as Playwright names it. */
export function browserName({ name }: Engine): 'chromium' | 'firefox' | 'webkit' {
  return name === 'chromium-sqlite' ? 'chromium' : name;
}

/** For an engine that Playwright does not drive. Tests cannot click or type there. */
function engineProvider(engine: Engine, profile: string): BrowserProviderOption {
  let running: Promise<RunningBrowser> | undefined;
  return defineBrowserProvider<object>({
    name: engine.name,
    options: {},
    providerFactory: () => ({
      name: engine.name,
      supportsParallelism: false,
      getCommandsContext: () => ({}),
      async openPage(_sessionId, url) {
        const { context } = await (running ??= engine.start(profile));
        const page = await context.newPage();
        // The page never finishes to load: it runs the tests.
        page.goto(url).catch(() => {});
      },
      async close() {
        await (await running)?.close();
      },
    }),
  });
}
