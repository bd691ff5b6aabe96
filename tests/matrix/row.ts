import type { Ability, EngineName, StartOptions } from '../engines/engine.ts';
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
  /** A fault of an engine itself, now and then: the row is not run there, and the report says why. */
  readonly failsIn?: EngineFault;
  /** Injects the fault, once tabs are at work. `Run.finish` checks what came of it. */
  inject(run: Run): Promise<void>;
}

export const ALL_HOSTS: readonly Host[] = ['shared', 'dedicated', 'inline'];
/** The hosts with a worker. */
export const WORKERS: readonly Host[] = ['shared', 'dedicated'];

export interface EngineFault {
  readonly engine: EngineName;
  readonly hosts: readonly Host[];
  readonly reason: string;
}

const KEPT_TRANSACTION =
  'WebKit keeps the transaction of a worker that was ended amid it open, and with it all tabs wait';

/** Now and then a worker is ended amid a transaction. */
export const WORKER_ENDED: EngineFault = {
  engine: 'webkit',
  hosts: WORKERS,
  reason: KEPT_TRANSACTION,
};

/** The page ends its dedicated worker as it goes into the back/forward cache. */
export const WORKER_ENDED_BY_PAGE: EngineFault = { ...WORKER_ENDED, hosts: ['dedicated'] };
