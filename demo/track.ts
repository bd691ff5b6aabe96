import { formatCellOffset, formatCount } from './format.ts';
import { setText } from './dom.ts';
import { colorByKey } from './key-color.ts';
import { RECENT_RECORDS } from './lane-state.ts';
import type { LaneState, RecentRecord } from './lane-state.ts';
import type { Selection } from './selection.ts';

const SLIDE_MS = 140;
/** More records than this at once are a jump, which nothing would be gained from animating. */
const SLIDE_RECORDS = 2;

/**
 * The cells of one lane, the newest at the right. The buttons stay and their records change, so a
 * record costs no new elements. While somebody points at the lane it holds still, or no cell could
 * be hit.
 */
export class Track {
  readonly #root: HTMLElement;
  readonly #selection: Selection;
  readonly #reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
  #cells: HTMLButtonElement[] = [];
  #lane: LaneState | undefined;
  #shown: readonly RecentRecord[] = [];
  #pointed = false;

  constructor(root: HTMLElement, selection: Selection, onLayout: () => void) {
    this.#root = root;
    this.#selection = selection;
    new ResizeObserver(() => {
      this.#fit();
      onLayout();
    }).observe(root);
    root.addEventListener('pointerenter', () => (this.#pointed = true));
    root.addEventListener('pointerleave', () => {
      this.#pointed = false;
      onLayout();
    });
    root.addEventListener('focusout', () => {
      this.#makeTabStop(this.#cells.at(-1) ?? null);
      onLayout();
    });
    root.addEventListener('pointerover', (event) =>
      this.#with(event, (it) => selection.preview(it)),
    );
    root.addEventListener('focusin', (event) => {
      this.#with(event, (it) => selection.preview(it));
      this.#makeTabStop(event.target);
    });
    root.addEventListener('click', (event) => this.#with(event, (it) => selection.togglePin(it)));
    root.addEventListener('keydown', (event) => this.#move(event));
  }

  /** How many cells there are. */
  get length(): number {
    return this.#cells.length;
  }

  /** The last record that is shown, while the lane holds still. */
  get heldAt(): number | undefined {
    const held = this.#pointed || this.#root.querySelector(':focus-visible') !== null;
    return held ? this.#shown.at(-1)?.message.offset : undefined;
  }

  render(lane: LaneState): void {
    const lastOffset = this.#shown.at(-1)?.message.offset;
    // A topic that was created again keeps none of the old one's held records.
    const isHeld = this.heldAt !== undefined && lane === this.#lane;
    this.#lane = lane;
    if (!isHeld) this.#shown = lane.recent;
    this.#renderCells();
    if (!isHeld && lastOffset !== undefined) this.#slide(lane.endOffset - 1 - lastOffset);
  }

  #renderCells(): void {
    const records = this.#shown.slice(-this.#cells.length);
    const vacant = this.#cells.length - records.length;
    for (const [i, cell] of this.#cells.entries()) this.#renderCell(cell, records[i - vacant]);
  }

  #renderCell(cell: HTMLButtonElement, record: RecentRecord | undefined): void {
    cell.hidden = record === undefined;
    if (record === undefined) return;
    const { message, key } = record;
    cell.ariaPressed = String(this.#selection.isPinned && this.#selection.shows(message));
    cell.classList.toggle('shown', this.#selection.shows(message));
    if (cell.dataset['offset'] === String(message.offset) && cell.dataset['key'] === key) return;
    cell.dataset['offset'] = String(message.offset);
    cell.dataset['key'] = key;
    cell.ariaLabel = `Offset ${formatCount(message.offset)}, key ${key}`;
    setText(cell, formatCellOffset(message.offset));
    colorByKey(cell, key);
  }

  #slide(added: number): void {
    if (added <= 0 || added > SLIDE_RECORDS || this.#reducedMotion.matches) return;
    const [first, second] = this.#cells;
    if (first === undefined || second === undefined) return;
    const step = second.offsetLeft - first.offsetLeft;
    const from = { transform: `translateX(${added * step}px)` };
    for (const cell of this.#cells) {
      cell.animate([from, { transform: 'none' }], { duration: SLIDE_MS, easing: 'ease-out' });
    }
  }

  /** As many cells as there is room for. */
  #fit(): void {
    const style = getComputedStyle(this.#root);
    const cellPx = parseFloat(style.getPropertyValue('--cell-width'));
    const gapPx = parseFloat(style.columnGap);
    const paddingPx = parseFloat(style.paddingLeft) * 2;
    const room = Math.floor((this.#root.clientWidth - paddingPx + gapPx) / (cellPx + gapPx));
    const count = Math.min(Math.max(room, 1), RECENT_RECORDS);
    if (count === this.#cells.length) return;
    // The newest stay as they are, so that neither focus nor sight of them is lost.
    const kept = this.#cells.slice(-count);
    const added = Array.from({ length: count - kept.length }, newCell);
    for (const cell of this.#cells.slice(0, -kept.length || undefined)) cell.remove();
    this.#root.prepend(...added);
    this.#cells = [...added, ...kept];
    this.#root.style.setProperty('--cells', String(count));
    this.#makeTabStop(this.#cells.at(-1)!);
    this.#renderCells();
  }

  /** One stop of the Tab key a lane: the arrow keys go from there. */
  #makeTabStop(target: EventTarget | null): void {
    for (const cell of this.#cells) cell.tabIndex = cell === target ? 0 : -1;
  }

  #move(event: KeyboardEvent): void {
    const at = this.#cells.findIndex((cell) => cell === event.target);
    const first = this.#cells.findIndex((cell) => !cell.hidden);
    const last = this.#cells.length - 1;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: first, End: last }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    this.#cells[Math.min(Math.max(to, first), last)]?.focus();
  }

  #with(event: Event, use: (message: RecentRecord['message']) => void): void {
    const at = this.#cells.findIndex((cell) => cell === event.target);
    const record = this.#shown.at(at - this.#cells.length);
    if (at >= 0 && record !== undefined) use(record.message);
  }
}

function newCell(): HTMLButtonElement {
  const cell = document.createElement('button');
  cell.type = 'button';
  cell.className = 'cell';
  cell.tabIndex = -1;
  cell.hidden = true;
  return cell;
}
