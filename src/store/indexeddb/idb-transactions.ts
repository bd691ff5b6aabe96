import { isError } from '../../base/brand.ts';
import { OUTCOME_UNKNOWN, STORAGE_TIMEOUT } from '../../base/error-rules.ts';
import type { ErrorRule } from '../../base/error-rule.ts';
import { TablogError } from '../../base/error.ts';
import { errorMessage } from '../../base/error-text.ts';
import { deadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { abortError, callStorage } from './storage-error.ts';

/** Makes the requests of a transaction. `fail` aborts the transaction, and is its error. */
export type TransactionBody = (tx: IDBTransaction, fail: (error: unknown) => void) => void;

export interface IdbTransactionsOptions {
  /** The log's name, for the texts of errors. */
  readonly name: string;
  readonly clock: Clock;
  readonly deadlineMs: number;
  /** Called when a transaction has exceeded its deadline. */
  readonly onSilent: () => void;
}

/** A transaction that has not settled. */
interface UnderWay {
  /** Settles the transaction's promise without the transaction, which fires no more events. */
  lose(why: ErrorRule, what: string): void;
  abort(reason: TablogError): void;
}

/** The transactions of one connection: each settles with its event, or at the latest by a deadline. */
export class IdbTransactions {
  readonly #options: IdbTransactionsOptions;
  readonly #underWay = new Set<UnderWay>();

  constructor(options: IdbTransactionsOptions) {
    this.#options = options;
  }

  /** Runs `body` in the transaction; resolves when the transaction has completed. */
  run(tx: IDBTransaction, body: TransactionBody): Promise<void> {
    const { name, clock, deadlineMs, onSilent } = this.#options;
    const isRead = tx.mode === 'readonly';
    return new Promise((resolve, reject) => {
      let thrown: Error | undefined;
      let requestError: DOMException | null = null;
      const settleAs = (rule: ErrorRule, what: string): void => {
        settle();
        reject(
          new TablogError(rule, `a ${isRead ? 'read of' : 'write to'} the log '${name}' ${what}`),
        );
      };
      const lose = (why: ErrorRule, what: string): void =>
        settleAs(isRead ? why : OUTCOME_UNKNOWN, what);
      const fail = (error: unknown): void => {
        thrown = isError(error) ? error : new Error(errorMessage(error));
        tx.abort();
      };
      /** Whether nothing is stored: a transaction that commits already ends without this page. */
      const isAborted = (): boolean => {
        try {
          tx.abort();
          return true;
        } catch {
          return false;
        }
      };
      const abort = (reason: TablogError): void => {
        if (!isAborted()) return;
        settle();
        reject(reason); // WebKit may never fire the `abort` event of a page that was cached
      };
      const cancelDeadline = deadline(clock, deadlineMs, () => {
        // A transaction that waits for others would be stored later, and others wait for it.
        const settleLate = isAborted() ? settleAs : lose;
        settleLate(STORAGE_TIMEOUT, `has not ended in ${deadlineMs} ms`);
        onSilent();
      });
      const underWay = { lose, abort };
      const settle = (): void => {
        cancelDeadline();
        this.#underWay.delete(underWay);
      };
      this.#underWay.add(underWay);
      // The events of all requests bubble to the transaction. An abort fails the requests that are
      // left with an `AbortError`, so the first error is the cause.
      tx.onerror = ({ target }) => {
        requestError ??= (target as IDBRequest).error;
      };
      tx.oncomplete = () => {
        settle();
        resolve();
      };
      tx.onabort = () => {
        settle();
        reject(thrown ?? abortError(tx.error ?? requestError, isRead));
      };
      try {
        callStorage(() => body(tx, fail));
      } catch (error) {
        fail(error);
      }
    });
  }

  /** Settles all transactions after the browser has closed the connection. */
  loseAll(why: ErrorRule, what: string): void {
    for (const underWay of this.#underWay) underWay.lose(why, what);
  }

  /** Aborts all transactions that do not commit yet; each then rejects with `reason`. */
  abortAll(reason: TablogError): void {
    for (const underWay of this.#underWay) underWay.abort(reason);
  }
}
