import { systemClock } from '../../src/base/clock.ts';
import { loadParts as loadTabParts } from '../../src/client/parts.ts';
import { loadCodec } from '../../src/record/codecs.ts';

/** Loads all that a tab and a broker load by `import()`: after that, time passes on the clock alone. */
export async function loadParts(): Promise<void> {
  await loadTabParts(systemClock);
  for (const codec of ['snappy', 'lz4', 'zstd'] as const) await loadCodec(codec);
}
