import { mustFind, mustGet, setText, textElement } from './dom.ts';
import { formatCount } from './format.ts';
import type { GroupState, Reader } from './group-state.ts';
import { colorByKey } from './key-color.ts';
import { drawSparkline } from './sparkline.ts';

/** What happens within this time belongs together: somebody goes, another takes over. */
const TOGETHER_MS = 1000;

/** The group: its figures, its members, and what has happened last. */
export class GroupView {
  readonly #root = mustGet('group', HTMLElement);
  readonly #lag = mustFind(this.#root, 'lag', HTMLElement);
  readonly #lags = mustFind(this.#root, 'lags', SVGPathElement);
  readonly #generation = mustFind(this.#root, 'generation', HTMLElement);
  readonly #members = mustFind(this.#root, 'members', HTMLElement);
  readonly #news = mustFind(this.#root, 'news', HTMLElement);
  readonly #memberId: string;
  #membersShown = '';
  #newsSince = -Infinity;

  /** `memberId`: this tab's. */
  constructor(memberId: string) {
    this.#memberId = memberId;
  }

  render(group: GroupState): void {
    setText(this.#lag, formatCount(group.lag));
    setText(this.#generation, formatCount(group.generation));
    drawSparkline(this.#lags, group.lagHistory);
    this.#renderMembers(group.readers, group.isSettled);
  }

  clear(): void {
    setText(this.#news, 'The log was emptied.');
    this.#newsSince = -Infinity;
  }

  tell(news: string): void {
    const now = performance.now();
    const goesOn = now - this.#newsSince < TOGETHER_MS;
    if (!goesOn) this.#newsSince = now;
    setText(this.#news, goesOn ? `${this.#news.textContent} ${news}` : news);
  }

  #renderMembers(readers: readonly Reader[], isSettled: boolean): void {
    const shown = JSON.stringify([readers, isSettled]);
    if (shown === this.#membersShown) return;
    this.#membersShown = shown;
    this.#members.replaceChildren(...readers.map((reader) => this.#memberItem(reader, isSettled)));
  }

  #memberItem({ memberId, tab, visible, partitions }: Reader, isSettled: boolean): HTMLElement {
    const item = textElement('li', '', 'member');
    const isMine = memberId === this.#memberId;
    const facts = [
      ...(isMine ? ['this tab'] : []),
      partitions === 0
        ? isSettled
          ? 'idle'
          : 'waiting'
        : `${partitions} partition${partitions === 1 ? '' : 's'}`,
      ...(visible ? [] : ['hidden']),
    ];
    item.classList.toggle('mine', isMine);
    item.classList.toggle('unseen', !visible);
    colorByKey(item, tab);
    item.append(textElement('b', tab), ' ', textElement('span', facts.join(', ')));
    return item;
  }
}
