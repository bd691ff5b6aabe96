import type { Verdict } from './check-run.ts';
import type { Host } from './run.ts';

/** A line of the report: a run, or why there was none. */
export interface RunReport {
  readonly engine: string;
  readonly version: string;
  readonly fault: string;
  readonly host: Host;
  readonly seed?: number;
  readonly acked?: number;
  readonly verdict?: Verdict;
  /** Milliseconds from each fault to the first record that was stored and the first that was copied. */
  readonly recoveries?: readonly number[];
  /** The error of a run that did not come to its end. */
  readonly failure?: string;
  /** The reason why the row is not run in the engine. */
  readonly lack?: string;
}
