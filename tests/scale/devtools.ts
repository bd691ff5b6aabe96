import type { CDPSession, Page } from 'playwright';

/** Bytes that live on the heap after a collection. */
export interface Heap {
  readonly tab: number;
  readonly worker: number;
}

/** A transaction of the worker: when it began, by the worker's clock, and what it was for. */
interface Transaction {
  readonly at: number;
  readonly mode: IDBTransactionMode;
  readonly stores: string;
}

/** What one round of background work did. */
export interface Round {
  readonly transactions: number;
  readonly ms: number;
}

/** The limit of a wait for a round, which begins 10 s after an append. */
const ROUND_WITHIN_MS = 90_000;

/** A round is over after this long without a transaction. */
const QUIET_MS = 1_000;
const LOOK_MS = 100;

/** A worker that ends as it is asked never answers. */
const ANSWER_WITHIN_MS = 30_000;

/** Longer than from an append to its round, so that afterwards no round is due. */
const IDLE_MS = 12_000;
const IDLE_WITHIN_MS = 600_000;

/** A round begins with the time, which is kept in the row of the log. */
const BEGINS_A_ROUND = 'meta';

/** The devtools of a tab, and of the SharedWorker that its log has. */
export class Devtools {
  readonly #session: CDPSession;
  readonly #worker: string;
  #lastId = 0;

  constructor(session: CDPSession, worker: string) {
    this.#session = session;
    this.#worker = worker;
  }

  /** Attaches to a tab and to the only SharedWorker of its origin. */
  static async attach(page: Page): Promise<Devtools> {
    const session = await page.context().newCDPSession(page);
    const { origin } = new URL(page.url());
    const { targetInfos } = await session.send('Target.getTargets');
    const worker = targetInfos.find(
      ({ type, url }) => type === 'shared_worker' && url.startsWith(origin),
    );
    if (worker === undefined) throw new Error(`no SharedWorker of ${origin} runs`);
    const { targetId } = worker;
    // A session of its own for the worker is what Playwright does not offer.
    const attached = await session.send('Target.attachToTarget', { targetId, flatten: false });
    await session.send('HeapProfiler.enable');
    const devtools = new Devtools(session, attached.sessionId);
    await devtools.#ask('HeapProfiler.enable');
    return devtools;
  }

  async heap(): Promise<Heap> {
    await this.#session.send('HeapProfiler.collectGarbage');
    await this.#ask('HeapProfiler.collectGarbage');
    const tab = await this.#session.send('Runtime.getHeapUsage');
    const worker = (await this.#ask('Runtime.getHeapUsage')) as { readonly usedSize: number };
    return { tab: tab.usedSize, worker: worker.usedSize };
  }

  /** Has the worker note its transactions from now on. */
  async noteTransactions(): Promise<void> {
    await this.#evaluate(`(() => {
      if (globalThis.scale !== undefined) return void globalThis.scale.splice(0);
      const noted = (globalThis.scale = []);
      const { transaction } = IDBDatabase.prototype;
      IDBDatabase.prototype.transaction = function (stores, mode = 'readonly', options) {
        noted.push({ at: performance.now(), mode, stores: [stores].flat().join() });
        return transaction.call(this, stores, mode, options);
      };
    })()`);
  }

  /** Waits until background work is done; returns how long that took, in milliseconds. */
  async idle(): Promise<number> {
    const began = performance.now();
    for (;;) {
      const { now, noted } = await this.#noted();
      const last = noted.findLast(({ mode }) => mode === 'readwrite')?.at ?? 0;
      const ms = performance.now() - began;
      if (now - last > IDLE_MS) return Math.max(ms - IDLE_MS, 0);
      if (ms > IDLE_WITHIN_MS) throw new Error('background work does not end');
      await pause();
    }
  }

  /** Waits for the next round of background work. Call `noteTransactions` before the append. */
  async round(): Promise<Round> {
    const giveUpAt = performance.now() + ROUND_WITHIN_MS;
    for (;;) {
      const { now, noted } = await this.#noted();
      const first = noted.findIndex(
        ({ mode, stores }) => mode === 'readwrite' && stores === BEGINS_A_ROUND,
      );
      const last = noted.at(-1);
      if (first >= 0 && now - last!.at > QUIET_MS) {
        const round = noted.slice(first);
        return { transactions: round.length, ms: last!.at - round[0]!.at };
      }
      if (performance.now() > giveUpAt) throw new Error('no round of background work came');
      await pause();
    }
  }

  async #noted(): Promise<{ readonly now: number; readonly noted: readonly Transaction[] }> {
    const noted = await this.#evaluate('({ now: performance.now(), noted: globalThis.scale })');
    return noted as { readonly now: number; readonly noted: readonly Transaction[] };
  }

  close(): Promise<void> {
    return this.#session.detach();
  }

  async #evaluate(expression: string): Promise<unknown> {
    const answer = (await this.#ask('Runtime.evaluate', { expression, returnByValue: true })) as {
      readonly result: { readonly value?: unknown };
    };
    return answer.result.value;
  }

  /** Calls a method of the worker's devtools. */
  async #ask(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#lastId;
    const answered = new Promise<unknown>((resolve, reject) => {
      const onMessage = ({ message }: { readonly message: string }): void => {
        const answer = JSON.parse(message) as { id?: number; result?: unknown; error?: unknown };
        if (answer.id !== id) return;
        clearTimeout(timer);
        this.#session.off('Target.receivedMessageFromTarget', onMessage);
        if (answer.error === undefined) resolve(answer.result);
        else reject(new Error(`${method}: ${JSON.stringify(answer.error)}`));
      };
      this.#session.on('Target.receivedMessageFromTarget', onMessage);
      const silent = (): void => reject(new Error(`${method}: the worker has ended, or it hangs`));
      const timer = setTimeout(silent, ANSWER_WITHIN_MS);
    });
    answered.catch(() => {}); // the command below may be what fails
    const message = JSON.stringify({ id, method, params });
    await this.#session.send('Target.sendMessageToTarget', { sessionId: this.#worker, message });
    return answered;
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
