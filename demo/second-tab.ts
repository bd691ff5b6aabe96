import { mustFind, mustGet, setText } from './dom.ts';

/**
 * A second tab in a frame: the same page, with a script and a member of its own. Only the log
 * connects the two.
 */
export class SecondTab {
  readonly #root = mustGet('second-tab', HTMLElement);
  readonly #place = mustFind(this.#root, 'place', HTMLElement);
  readonly #toggle = mustFind(this.#root, 'toggle', HTMLButtonElement);
  readonly #state = mustFind(this.#root, 'state', HTMLElement);
  #frame: HTMLIFrameElement | undefined;

  constructor() {
    this.#toggle.addEventListener('click', () => {
      if (this.#frame === undefined) this.open();
      else this.#close();
    });
    this.#toggle.disabled = false;
  }

  open(): void {
    const frame = (this.#frame = document.createElement('iframe'));
    const url = new URL(location.href);
    url.search = '?frame=1';
    url.hash = '';
    frame.src = url.href;
    frame.title = 'A second tab of this page';
    this.#place.append(frame);
    this.#show(true);
  }

  /** Shows news of the group in the frame's place. */
  tell(news: string): void {
    if (this.#frame === undefined) setText(this.#state, `${this.#state.textContent} ${news}`);
  }

  /**
   * Removes the frame, whose page is gone at once, as a closed tab's is, without a last word of its
   * script.
   */
  #close(): void {
    this.#frame?.remove();
    this.#frame = undefined;
    this.#show(false);
  }

  #show(isOpen: boolean): void {
    this.#root.classList.toggle('closed', !isOpen);
    setText(this.#toggle, isOpen ? 'Close it' : 'Open it again');
    setText(this.#state, isOpen ? '' : 'Closed.');
  }
}

/** Whether this page is the second tab of another. */
export function isSecondTab(): boolean {
  return new URLSearchParams(location.search).has('frame');
}
