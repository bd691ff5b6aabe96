import type { ErrorCode } from '../../base/error-rule.ts';
import { isLogDeleted, toTablogError } from '../../base/error.ts';
import type { UntimedStatus, WorkerLost } from './log-status.ts';

/** Tracks whether a worker serves the tab, and emits each change once. */
export class WorkerWatch {
  readonly #emit: (status: UntimedStatus) => void;
  /**
   * The number of failed attempts to connect to a worker; `undefined` while the tab has a worker.
   */
  #attempts: number | undefined;
  /** The code of the last emitted failure. */
  #emittedCode: ErrorCode | undefined;

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
    if (this.#emittedCode === error.code) return;
    this.#emittedCode = error.code;
    this.#emit({ type: 'workerUnavailable', error });
  }

  connected(): void {
    if (this.#attempts === undefined) return;
    const attempts = this.#attempts + 1;
    this.#attempts = undefined;
    this.#emittedCode = undefined;
    this.#emit({ type: 'workerConnected', attempts });
  }
}
