import { newProfile } from '../support/browser.ts';
import { servePage } from '../support/page-server.ts';
import { casesOf } from './cases.ts';
import { measureLeaks } from './leaks.ts';
import type { Leak } from './leaks.ts';
import { measureCase } from './measure.ts';
import type { Row } from './measure.ts';

export interface ScaleOptions {
  /** The count of each case: topics, partitions, groups, tabs, consumers, records. */
  readonly sizes: Readonly<Record<string, number>>;
  /** How often each kind is opened and closed. */
  readonly openings: number;
  /** The cases to measure, by the first word of their names, and 'leaks'. Default: all. */
  readonly only?: readonly string[] | undefined;
  readonly onProgress: (what: string) => void;
}

export interface ScaleReport {
  readonly browser: string;
  readonly rows: readonly Row[];
  readonly leaks: readonly Leak[];
}

/** Measures every case with few and with many, in a real browser with its profile on disk. */
export async function scale(options: ScaleOptions): Promise<ScaleReport> {
  const { sizes, openings, only, onProgress } = options;
  const page = await servePage(new URL('../e2e/page', import.meta.url).pathname);
  const profile = await newProfile();
  const rows: Row[] = [];
  let leaks: Leak[] = [];
  let origins = 0;
  const newOrigin = (): string => page.url.replace('localhost', `scale-${++origins}.localhost`);
  const isWanted = (name: string): boolean => only === undefined || only.includes(name);
  try {
    const context = await profile.start();
    for (const each of casesOf(sizes)) {
      if (!isWanted(each.name.split(' ')[0]!)) continue;
      for (const count of [each.few, each.many]) {
        onProgress(`${count} ${each.name}`);
        const row = await measureCase(each, count, context, newOrigin());
        rows.push(row);
        onProgress(JSON.stringify(row));
      }
    }
    if (isWanted('leaks')) {
      onProgress(`${openings} openings of each kind`);
      leaks = await measureLeaks(context, newOrigin(), openings);
      onProgress(JSON.stringify(leaks));
    }
    return { browser: context.browser()?.version() ?? 'unknown', rows, leaks };
  } finally {
    await profile.remove();
    await page.close();
  }
}
