import type { Browser, BrowserContext, LaunchOptions, Page } from 'playwright';

/** A browser engine with a backend of IndexedDB. */
export type EngineName = 'chromium' | 'chromium-sqlite' | 'firefox' | 'webkit';

/**
 * What not every driver can do. A test names what it needs, and is skipped with the reason where
 * the driver lacks it.
 */
export type Ability =
  /** Chrome's DevTools protocol: kills a SharedWorker, sets a quota, freezes, throttles. */
  | 'cdp'
  /** Crashes or suspends the process of one tab, and of no other tab. */
  | 'crash'
  /** Kills the whole browser. */
  | 'kill'
  /** Has a disk of its own, which can be filled. */
  | 'disk'
  /** Clears the databases of an origin while its pages run. */
  | 'clear'
  /** Answers the page's requests itself, and sees them. */
  | 'routes'
  /** Cuts the page off the network. */
  | 'offline'
  /** Finds elements by role, in frames too, and clicks them. */
  | 'locators';

export interface StartOptions {
  /** The quota of an origin in bytes, about, for engines that take it at the start. */
  readonly quotaBytes?: number;
  /** The whole session is a private window. */
  readonly isPrivate?: boolean;
}

/** A browser that runs on a profile on disk, so that IndexedDB is on disk too. */
export interface RunningBrowser {
  readonly context: BrowserContext;
  close(): Promise<void>;
  /** The ids of the browser's processes. */
  processes(): Promise<readonly number[]>;
  /** Kills the browser's processes, as a crash would. */
  kill(): Promise<void>;
  /** Crashes the process of a page. Resolves when the page is gone. */
  crash(page: Page): Promise<void>;
  /** Clears the databases of the page's origin, as the browser's settings do. */
  clearDatabases(page: Page): Promise<void>;
  /** The id of the process that runs a page. Pages may share one. */
  processOf(page: Page): Promise<number>;
}

export interface Engine {
  readonly name: EngineName;
  /** The abilities that the driver lacks here, each with the reason. */
  readonly lacks: Readonly<Partial<Record<Ability, string>>>;
  /** 'Firefox 153.8'. */
  readonly version: string;
  /** How Playwright starts it; `undefined` where another driver does. */
  readonly launch?: LaunchOptions;
  /** Starts the browser on the profile in the folder. */
  start(profile: string, options?: StartOptions): Promise<RunningBrowser>;
  /** Starts a browser whose contexts keep their data in memory. */
  startWithoutProfile(): Promise<Browser>;
}
