import type { ErrorCode } from '../../base/error-rule.ts';
import { isLogDeleted, toTablogError } from '../../base/error.ts';
import type { UntimedStatus, WorkerLost } from './log-status.ts';

/** Whether a worker serves the tab: each change is told once. */
export class WorkerWatch {
  readonly #emit: (status: UntimedStatus) => void;
  /** The number of failed attempts to get a worker; `undefined` while there is one. */
  #attempts: number | undefined;
  /** The code of the failure that was told last. */
  #told: ErrorCode | undefined;

  constructor(emit: (status: UntimedStatus) => void) {
    this.#emit = emit;
  }

  lost(reason: WorkerLost['reason']): void {
    this.#attempts = 0;
    this.#emit({ type: 'workerLost', reason });
  }

  /** A worker could not be started. */
  failed(cause: unknown): void {
    if (isLogDeleted(cause)) return;
    this.#attempts = (this.#attempts ?? 0) + 1;
    const error = toTablogError(cause);
    if (this.#told === error.code) return;
    this.#told = error.code;
    this.#emit({ type: 'workerUnavailable', error });
  }

  connected(): void {
    if (this.#attempts === undefined) return;
    const attempts = this.#attempts + 1;
    this.#attempts = undefined;
    this.#told = undefined;
    this.#emit({ type: 'workerConnected', attempts });
  }
}
