/** The only seed that is walked, where `TABLOG_SEED` names one. */
const ONLY = process.env['TABLOG_SEED'];

/** The seeds of random walks: 1 to `TABLOG_SEEDS`, or to `count` without it. */
export function seedsOf(count: number): readonly number[] {
  if (ONLY !== undefined) return [Number(ONLY)];
  const length = Number(process.env['TABLOG_SEEDS'] ?? count);
  return Array.from({ length }, (_, i) => i + 1);
}

/** The one seed of a walk that is too slow for several: another each time, unless `TABLOG_SEED` is set. */
export function oneSeed(): number {
  return Number(ONLY ?? Math.floor(Math.random() * 2 ** 32));
}

/** How many random histories a property is held against: `TABLOG_RUNS`, or `count` without it. */
export function runsOf(count: number): number {
  return Number(process.env['TABLOG_RUNS'] ?? count);
}
