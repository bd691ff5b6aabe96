import type { Log, Producer } from '../src/index.ts';
import { emptyDemoLog, isFromEmptying } from './demo-log.ts';
import { mustFind, mustGet, setText } from './dom.ts';
import { formatBytes, formatCount } from './format.ts';
import { loadGithubRecords } from './github-records.ts';
import type { Notices } from './notices.ts';
import { Replay } from './replay.ts';

/** A demo has no business filling somebody's disk. */
const MOST_LOG_BYTES = 500_000_000;
const FULL = ` at ${formatBytes(MOST_LOG_BYTES)}, to spare your disk: empty the log to go on`;
const EMPTIED = ': the log was emptied from another tab';

export interface ReplayControlsOptions {
  readonly log: Log;
  readonly producer: Producer;
  readonly notices: Notices;
  readonly onEmptied: () => void;
}

/** Starts, paces and stops the replay, and empties the log. */
export class ReplayControls {
  readonly #options: ReplayControlsOptions;
  readonly #form = mustGet('controls', HTMLFormElement);
  readonly #toggle = mustFind(this.#form, 'toggle', HTMLButtonElement);
  readonly #progress = mustFind(this.#form, 'progress', HTMLOutputElement);
  readonly #empty = mustFind(this.#form, 'empty', HTMLButtonElement);
  readonly #dialog = mustGet('empty-dialog', HTMLDialogElement);
  #replay: Replay | undefined;
  #running: AbortController | undefined;
  #ended = Promise.resolve();

  constructor(options: ReplayControlsOptions) {
    this.#options = options;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#running === undefined) this.#ended = this.#start();
      else this.#running.abort();
    });
    this.#form.addEventListener('change', () => {
      if (this.#replay !== undefined) this.#replay.perSecond = this.#speed;
    });
    this.#empty.addEventListener('click', () => this.#dialog.showModal());
    this.#dialog.addEventListener('close', () => {
      if (this.#dialog.returnValue === 'empty') void this.#emptyLog();
      this.#dialog.returnValue = '';
    });
  }

  enable(): void {
    this.#toggle.disabled = false;
    this.#empty.disabled = false;
  }

  get #speed(): number {
    return Number(new FormData(this.#form).get('speed'));
  }

  async #start(): Promise<void> {
    const { producer, notices } = this.#options;
    const running = (this.#running = new AbortController());
    let why = '';
    setText(this.#toggle, 'Stop');
    setText(this.#progress, 'Loading the events…');
    try {
      const records = await loadGithubRecords();
      setText(this.#progress, `Replaying ${records.length} events, round and round.`);
      this.#replay = new Replay(producer, records, this.#speed, () => this.#checkSize(running));
      await this.#replay.run(running.signal);
    } catch (error) {
      if (isFromEmptying(error)) why = EMPTIED;
      else notices.error(error);
    }
    if (running.signal.reason === FULL) why = FULL;
    const stored = formatCount(this.#replay?.stored ?? 0);
    this.#replay = undefined;
    this.#running = undefined;
    setText(this.#toggle, 'Replay GitHub events');
    setText(this.#progress, `Stopped${why}. ${stored} records were stored.`);
  }

  /** Stops the replay when the log is as large as a demo's should be. */
  async #checkSize(running: AbortController): Promise<void> {
    const { logBytes } = await this.#options.log.admin.storage();
    if (logBytes < MOST_LOG_BYTES || running.signal.aborted) return;
    running.abort(FULL);
  }

  async #emptyLog(): Promise<void> {
    const { log, notices, onEmptied } = this.#options;
    this.#running?.abort();
    await this.#ended;
    try {
      await emptyDemoLog(log);
      onEmptied();
      setText(this.#progress, 'The log is empty.');
    } catch (error) {
      notices.error(error);
    }
  }
}
