import { mustGet, setText, textElement } from './dom.ts';

interface Notice {
  readonly root: HTMLElement;
  readonly times: HTMLElement;
  count: number;
}

/** What the person must know of: shown until it is dismissed, and once however often it comes. */
export class Notices {
  readonly #root = mustGet('notices', HTMLElement);
  readonly #shown = new Map<string, Notice>();

  constructor() {
    addEventListener('error', (event) => this.error(event.error ?? event.message));
    addEventListener('unhandledrejection', (event) => this.error(event.reason));
  }

  error(error: unknown): void {
    console.error(error);
    this.#show(error instanceof Error ? error.message : String(error), 'error');
  }

  tell(text: string): void {
    this.#show(text, 'news');
  }

  #show(text: string, kind: 'error' | 'news'): void {
    const known = this.#shown.get(text);
    if (known !== undefined) {
      known.count++;
      setText(known.times, `×${known.count}`);
      return;
    }
    const root = textElement('div', '', `notice ${kind}`);
    const times = textElement('span', '', 'times');
    const dismiss = textElement('button', 'Dismiss', 'button quiet');
    dismiss.type = 'button';
    dismiss.addEventListener('click', () => {
      this.#shown.delete(text);
      root.remove();
    });
    root.append(textElement('p', text), times, dismiss);
    this.#shown.set(text, { root, times, count: 1 });
    this.#root.append(root);
  }
}
