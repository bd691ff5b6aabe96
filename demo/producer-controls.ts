import type { Log, Producer } from '../src/index.ts';
import { isPassing } from './demo-log.ts';
import { mustFind, mustGet, setText } from './dom.ts';
import type { Work } from './emptying.ts';
import { formatBytes } from './format.ts';
import { loadGithubRecords } from './github-records.ts';
import type { Notices } from './notices.ts';
import { Replay } from './replay.ts';
import { sleep } from './sleep.ts';

/**
 * A demo has no business filling a visitor's disk. Retention keeps the log far below this, but runs
 * some ten seconds after an append: until then the producer waits.
 */
const MOST_LOG_BYTES = 100_000_000;
const RETRY_MS = 1000;

export interface ProducerControlsOptions {
  readonly log: Log;
  readonly producer: Producer;
  readonly notices: Notices;
  /** Whether retention spares what the server has not. */
  readonly isHeld: () => boolean;
}

/** Has this tab send GitHub events while the page is visible and not paused. */
export class ProducerControls implements Work {
  readonly #options: ProducerControlsOptions;
  readonly #form = mustGet('producer', HTMLFormElement);
  readonly #toggle = mustFind(this.#form, 'toggle', HTMLButtonElement);
  readonly #status = mustFind(this.#form, 'status', HTMLOutputElement);
  #isWanted = true;
  #isPaused = false;
  #replay: Replay | undefined;
  #stopping: AbortController | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: ProducerControlsOptions) {
    this.#options = options;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#isWanted = !this.#isWanted;
      this.#update();
    });
    this.#form.addEventListener('change', () => {
      if (this.#replay !== undefined) this.#replay.perSecond = this.#chosenRate;
    });
    document.addEventListener('visibilitychange', () => this.#update());
    this.#toggle.disabled = false;
    this.#update();
  }

  async pause(): Promise<void> {
    this.#isPaused = true;
    this.#update();
    await this.#ended;
  }

  resume(): void {
    this.#isPaused = false;
    this.#update();
  }

  get #chosenRate(): number {
    return Number(new FormData(this.#form).get('rate'));
  }

  /** Starts or stops the replay; says in words why it is stopped. */
  #update(): void {
    setText(this.#toggle, this.#isWanted ? 'Pause' : 'Send');
    this.#toggle.classList.toggle('primary', !this.#isWanted);
    const isSeen = document.visibilityState === 'visible';
    if (this.#isWanted && !this.#isPaused && isSeen) {
      if (this.#stopping !== undefined) return;
      const stopping = (this.#stopping = new AbortController());
      this.#ended = this.#ended.then(() => this.#run(stopping.signal));
      return;
    }
    this.#stopping?.abort();
    this.#stopping = undefined;
    setText(this.#status, isSeen ? 'Paused.' : 'Paused: nobody sees this page.');
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const replay = (this.#replay ??= await this.#load());
        await replay.run(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(error)) {
          this.#isWanted = false;
          this.#options.notices.error(error);
          this.#update();
          return;
        }
        await sleep(RETRY_MS);
      }
    }
  }

  async #load(): Promise<Replay> {
    setText(this.#status, 'Loading the events…');
    const records = await loadGithubRecords();
    return new Replay(this.#options.producer, records, this.#chosenRate, () => this.#hasRoom());
  }

  async #hasRoom(): Promise<boolean> {
    const { bytes } = await this.#options.log.admin.describeLog();
    const hasRoom = bytes < MOST_LOG_BYTES;
    setText(this.#status, hasRoom ? 'Sending.' : this.#options.isHeld() ? HELD : FULL);
    return hasRoom;
  }
}

const WAITING = `Waiting at ${formatBytes(MOST_LOG_BYTES)}, to spare your disk:`;
const FULL = `${WAITING} retention makes room within seconds.`;
const HELD = `${WAITING} retention makes room of what the server has.`;
