import type { Log, StorageDescription } from '../src/index.ts';
import { mustFind, mustGet, setText } from './dom.ts';
import { formatBytes, formatCount } from './format.ts';
import { colorByKey } from './key-color.ts';

/** The line that says which log this is, how much is in it, and how safe that is. */
export class LogSummary {
  readonly #root = mustGet('summary', HTMLElement);
  readonly #log = mustFind(this.#root, 'log', HTMLElement);
  readonly #records = mustFind(this.#root, 'records', HTMLElement);
  readonly #stored = mustFind(this.#root, 'stored', HTMLElement);
  readonly #kept = mustFind(this.#root, 'kept', HTMLElement);
  readonly #persist = mustFind(this.#root, 'persist', HTMLButtonElement);
  readonly #tab = mustFind(this.#root, 'tab', HTMLElement);

  /** `onPersist` is told whether the browser has agreed to keep the data. */
  constructor(onPersist: (agreed: boolean) => void, onError: (error: unknown) => void) {
    this.#persist.addEventListener('click', () => {
      navigator.storage.persist().then(onPersist, onError);
    });
  }

  showLog(log: Log, tab: string): void {
    setText(this.#log, log.name);
    setText(this.#tab, tab);
    this.#tab.classList.add('key');
    colorByKey(this.#tab, tab);
  }

  showFailure(): void {
    setText(this.#log, 'could not be opened');
  }

  showRecords(records: number): void {
    setText(this.#records, formatCount(records));
  }

  showStorage({ logBytes, persisted }: StorageDescription): void {
    setText(this.#stored, formatBytes(logBytes));
    setText(this.#kept, persisted ? 'for good' : 'while the browser has room');
    this.#persist.hidden = persisted || !('storage' in navigator);
  }
}
