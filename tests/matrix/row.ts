import type { Ability, StartOptions } from '../engines/engine.ts';
import type { Host, Run } from './run.ts';

/** A row of the matrix: a fault, and what is done about it. */
export interface Row {
  /** The name in the table, by which the row is chosen as well. */
  readonly fault: string;
  readonly hosts: readonly Host[];
  /** The abilities that the row needs of the engine's driver. */
  readonly needs?: readonly Ability[];
  /** How the browser is started. */
  readonly start?: StartOptions;
  /** The quota of the origin in bytes, from before the first write; see `Run.setQuota`. */
  readonly quotaBytes?: number;
  /** The bytes of the disk that the profile lies on. Default: the machine's disk. */
  readonly diskBytes?: number;
  /** How many tabs are at work before the fault. Default: 3. */
  readonly tabs?: number;
  /** Whether a run takes more than 10 s. Default: false. */
  readonly isSlow?: boolean;
  /** Injects the fault, once tabs are at work. `Run.finish` checks what came of it. */
  inject(run: Run): Promise<void>;
}

export const ALL_HOSTS: readonly Host[] = ['shared', 'dedicated', 'inline'];
/** The hosts with a worker. */
export const WORKERS: readonly Host[] = ['shared', 'dedicated'];
