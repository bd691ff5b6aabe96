import type { Log, LogDescription } from '../src/index.ts';
import { mustFind, mustGet, setText } from './dom.ts';
import { formatBytes, formatCount } from './format.ts';
import { colorByKey } from './key-color.ts';

/** The line that says which log this is, who runs it, and how much is in it. */
export class LogSummary {
  readonly #root = mustGet('summary', HTMLElement);
  readonly #log = mustFind(this.#root, 'log', HTMLElement);
  readonly #worker = mustFind(this.#root, 'worker', HTMLElement);
  readonly #records = mustFind(this.#root, 'records', HTMLElement);
  readonly #stored = mustFind(this.#root, 'stored', HTMLElement);
  readonly #tab = mustFind(this.#root, 'tab', HTMLElement);

  showLog(log: Log, tab: string): void {
    setText(this.#log, log.name);
    setText(this.#worker, 'SharedWorker' in globalThis ? 'shared by all tabs' : 'one a tab');
    setText(this.#tab, tab);
    this.#tab.classList.add('key');
    colorByKey(this.#tab, tab);
  }

  showRecords(records: number): void {
    setText(this.#records, formatCount(records));
  }

  showStorage({ bytes }: LogDescription): void {
    setText(this.#stored, formatBytes(bytes));
  }
}
