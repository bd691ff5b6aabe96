import { findChromium } from './chromium.ts';
import type { Ability, Engine, EngineName } from './engine.ts';
import { findFirefox } from './firefox.ts';
import { findWebKit } from './webkit.ts';

export const ENGINE_NAMES: readonly EngineName[] = [
  'chromium',
  'chromium-sqlite',
  'firefox',
  'webkit',
];

/** How to get an engine that is missing; Debian's packages are named, as others are alike. */
export const INSTALL: Readonly<Record<EngineName, string>> = {
  chromium: 'npx playwright install chromium, or apt-get install chromium',
  'chromium-sqlite': 'npx playwright install chromium, or apt-get install chromium',
  firefox: 'npx playwright install firefox, or apt-get install firefox-esr',
  webkit: 'npx playwright install webkit, or apt-get install python3-gi gir1.2-webkit2-4.1 xvfb',
};

/** The engine if it is installed. */
export async function findEngine(name: EngineName): Promise<Engine | undefined> {
  if (name === 'firefox') return findFirefox();
  if (name === 'webkit') return findWebKit();
  return findChromium(name);
}

/** The engine that `TABLOG_ENGINE` names. Default: Chromium on LevelDB. */
export async function selectedEngine(): Promise<Engine> {
  const name = (process.env['TABLOG_ENGINE'] ?? 'chromium') as EngineName;
  if (!ENGINE_NAMES.includes(name)) {
    throw new Error(`TABLOG_ENGINE is '${name}', and must be one of ${ENGINE_NAMES.join(', ')}`);
  }
  selected ??= findEngine(name);
  const engine = await selected;
  if (engine === undefined) throw new Error(`${name} is not installed: ${INSTALL[name]}`);
  return engine;
}

let selected: Promise<Engine | undefined> | undefined;

/** Why the engine lacks one of the abilities; `undefined` where it has all. */
export function lackOf(engine: Engine, needed: readonly Ability[]): string | undefined {
  const lacks: Engine['lacks'] = { ...(!canMount() && { disk: NO_DISK }), ...engine.lacks };
  return needed.map((ability) => lacks[ability]).find((reason) => reason !== undefined);
}

const NO_DISK = 'only root on Linux can mount a disk in memory';

function canMount(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0;
}
