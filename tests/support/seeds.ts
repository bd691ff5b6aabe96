/** `TABLOG_SEED`: the only seed to run. */
const ONLY = process.env['TABLOG_SEED'];

/**
 * The length of a walk, or how often a scenario is repeated: `long` where `TABLOG_LONG` is set, as
 * `.ci/run` sets it, and else `usual`, so that `npm test` takes some minutes.
 */
export function lengthOf(usual: number, long: number): number {
  return process.env['TABLOG_LONG'] === undefined ? usual : long;
}

/** The seeds of random walks: 1 to `TABLOG_SEEDS`, by default 1 to `count`. */
export function seedsOf(count: number): readonly number[] {
  if (ONLY !== undefined) return [Number(ONLY)];
  const length = Number(process.env['TABLOG_SEEDS'] ?? count);
  return Array.from({ length }, (_, i) => i + 1);
}

/** The seed of a walk that is too slow for many seeds: `TABLOG_SEED`, by default a random seed. */
export function oneSeed(): number {
  return Number(ONLY ?? Math.floor(Math.random() * 2 ** 32));
}

/** The number of random cases of a property test: `TABLOG_RUNS`, by default `count`. */
export function runsOf(count: number): number {
  return Number(process.env['TABLOG_RUNS'] ?? count);
}
