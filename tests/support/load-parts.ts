import { systemClock } from '../../src/platform/clock.ts';
import { loadModules as loadTabParts } from '../../src/client/load-modules.ts';
import { loadCodec } from '../../src/record/compression/codecs.ts';

/**
 * Loads all modules that a tab and a broker load by `import()`. A later `import()` would take real
 * time, which a manual clock does not see.
 */
export async function loadParts(): Promise<void> {
  await loadTabParts(systemClock);
  for (const codec of ['snappy', 'lz4', 'zstd'] as const) await loadCodec(codec);
}
