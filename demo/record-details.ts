import { keyOf } from './demo-log.ts';
import type { DemoMessage } from './demo-log.ts';
import { mustFind, mustGet, textElement } from './dom.ts';
import { formatCount, formatTime } from './format.ts';
import { highlightJson } from './json-text.ts';
import { colorByKey } from './key-color.ts';
import type { Selection } from './selection.ts';

/** Everything about the selected record. */
export class RecordDetails {
  readonly #root = mustGet('details', HTMLElement);
  readonly #close: HTMLButtonElement;
  readonly #empty: HTMLElement;
  readonly #record: HTMLElement;
  readonly #facts: HTMLElement;
  readonly #value: HTMLElement;
  #shown: DemoMessage | undefined;

  constructor(onClose: () => void) {
    this.#root.append(
      document.importNode(mustGet('details-template', HTMLTemplateElement).content, true),
    );
    this.#close = mustFind(this.#root, 'close', HTMLButtonElement);
    this.#empty = mustFind(this.#root, 'empty', HTMLElement);
    this.#record = mustFind(this.#root, 'record', HTMLElement);
    this.#facts = mustFind(this.#root, 'facts', HTMLElement);
    this.#value = mustFind(this.#root, 'value', HTMLElement);
    this.#close.addEventListener('click', onClose);
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.#shown !== undefined) onClose();
    });
  }

  render(selection: Selection): void {
    const message = selection.shown;
    this.#root.classList.toggle('pinned', selection.isPinned);
    this.#close.hidden = !selection.isPinned;
    this.#empty.hidden = message !== undefined;
    this.#record.hidden = message === undefined;
    if (message === undefined || message === this.#shown) {
      this.#shown = message;
      return;
    }
    this.#shown = message;
    this.#facts.replaceChildren(...factsOf(message));
    this.#value.replaceChildren(highlightJson(JSON.stringify(message.value, null, 2)));
    this.#value.parentElement?.scrollTo(0, 0);
  }
}

function factsOf(message: DemoMessage): Node[] {
  const key = textElement('span', keyOf(message), 'key');
  colorByKey(key, keyOf(message));
  const time = textElement('time', formatTime(message.timestamp));
  time.dateTime = new Date(message.timestamp).toISOString();
  const decoder = new TextDecoder();
  const headers = message.headers.flatMap(([name, value]) =>
    fact(`Header ${name}`, value === null ? 'null' : decoder.decode(value)),
  );
  return [
    ...fact('Topic', message.topic),
    ...fact('Partition', String(message.partition)),
    ...fact('Offset', formatCount(message.offset)),
    ...fact('Key', key),
    ...fact('Time', time),
    ...(headers.length === 0 ? fact('Headers', 'none') : headers),
  ];
}

function fact(name: string, value: string | Node): Node[] {
  const detail = document.createElement('dd');
  detail.append(value);
  return [textElement('dt', name), detail];
}
