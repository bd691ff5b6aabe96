import { TablogError } from '../../base/error.ts';
import type { ErrorCode } from '../../base/error-rule.ts';
import type { Method, Request, Response } from '../../protocol/broker.ts';
import { fromErrorData } from '../../protocol/error-data.ts';
import { isInMemory } from '../../protocol/topic-id.ts';
import type { UntimedStatus } from './log-status.ts';

/**
 * The error codes of an unavailable storage: unavailable for a while, or for the life of this page.
 */
const UNAVAILABLE: ReadonlySet<ErrorCode> = new Set([
  'STORAGE_UNAVAILABLE',
  'STORAGE_TIMEOUT',
  'STORAGE_BLOCKED',
  'NO_INDEXEDDB',
  'FORMAT_TOO_NEW',
]);

/** The calls that store records on disk. A successful call ends `storageFull`. */
const STORES_RECORDS: ReadonlySet<Method> = new Set(['produce', 'transact']);

/** The calls that always write to the disk. A successful call ends `storageUnavailable`. */
const WRITES: ReadonlySet<Method> = new Set([
  ...STORES_RECORDS,
  'commitOffsets',
  'joinGroup',
  'leaveGroup',
]);

/**
 * Derives the state of the storage from the broker's answers. A worker answers many calls from
 * memory, so one answer alone proves nothing. The storage is available again when a call that was
 * made after the last failure has written to the disk, or is of a kind that had failed.
 */
export class StorageWatch {
  readonly #emit: (status: UntimedStatus) => void;
  /** The code of the last emitted error; `undefined` while the storage is available. */
  #emittedCode: ErrorCode | undefined;
  /** The number of failures so far. */
  #failures = 0;
  /**
   * The kinds of calls, and the partitions of fetches, that have failed since the storage was
   * available.
   */
  readonly #failed = new Set<string>();

  constructor(emit: (status: UntimedStatus) => void) {
    this.#emit = emit;
  }

  /** Watches a call of the broker. */
  called<M extends Method>(method: M, request: Request<M>, answer: Promise<unknown>): void {
    const failures = this.#failures;
    answer.then(
      (response) => this.#answered(method, request, response as Response<M>, failures),
      (error: unknown) => this.#noteError(method, error),
    );
  }

  #answered<M extends Method>(
    method: M,
    request: Request<M>,
    response: Response<M>,
    failures: number,
  ): void {
    if (method === 'produce') {
      const { appends } = request as Request<'produce'>;
      const results = response as Response<'produce'>;
      let isStored = false;
      results.forEach((result, i) => {
        if ('error' in result) this.#noteError(method, fromErrorData(result.error));
        else if (!isInMemory(appends[i]!.topicId)) isStored = true;
      });
      if (isStored) this.#succeeded(method, method, failures);
    } else if (method === 'fetch') {
      for (const part of response as Response<'fetch'>) {
        const kind = `${method} ${part.topicId}/${part.partition}`;
        if ('error' in part) this.#noteError(kind, fromErrorData(part.error));
        else this.#succeeded(method, kind, failures);
      }
      this.#succeeded(method, method, failures);
    } else {
      const isCommit =
        method === 'transact' && (request as Request<'transact'>).appends.length === 0;
      this.#succeeded(isCommit ? 'commitOffsets' : method, method, failures);
    }
  }

  #noteError(kind: string, error: unknown): void {
    if (!(error instanceof TablogError)) return;
    const { code } = error;
    const isFull = code === 'STORAGE_FULL';
    if (!isFull && !UNAVAILABLE.has(code)) return;
    this.#failures++;
    // A full storage and an unavailable storage fail different kinds of calls.
    if (isFull !== (this.#emittedCode === 'STORAGE_FULL')) this.#failed.clear();
    this.#failed.add(kind);
    if (this.#emittedCode === code) return;
    this.#emittedCode = code;
    this.#emit({ type: isFull ? 'storageFull' : 'storageUnavailable', error });
  }

  #succeeded(method: Method, kind: string, failuresBefore: number): void {
    if (this.#emittedCode === undefined || this.#failures !== failuresBefore) return;
    const provingMethods = this.#emittedCode === 'STORAGE_FULL' ? STORES_RECORDS : WRITES;
    if (!provingMethods.has(method) && !this.#failed.has(kind)) return;
    this.#emittedCode = undefined;
    this.#failed.clear();
    this.#emit({ type: 'storageAvailable' });
  }
}
