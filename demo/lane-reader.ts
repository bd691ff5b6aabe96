import type { GroupPartitionDescription } from '../src/index.ts';
import { mustFind, setText } from './dom.ts';
import { formatCount } from './format.ts';
import { colorByKey } from './key-color.ts';
import { tabOf } from './member-name.ts';
import type { Track } from './track.ts';

const FLASH_MS = 600;

/** Who of the group reads a lane, and how far the group is there. */
export class LaneReader {
  readonly #lane: HTMLElement;
  readonly #memberId: string;
  readonly #plate: HTMLElement;
  readonly #owner: HTMLElement;
  readonly #note: HTMLElement;
  readonly #lag: HTMLElement;
  readonly #committed: HTMLElement;
  readonly #rail: HTMLElement;
  readonly #reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
  #shownOwner: string | null = null;

  /** `memberId`: this tab's. */
  constructor(lane: HTMLElement, memberId: string) {
    this.#lane = lane;
    this.#memberId = memberId;
    this.#plate = mustFind(lane, 'plate', HTMLElement);
    this.#owner = mustFind(lane, 'owner', HTMLElement);
    this.#note = mustFind(lane, 'note', HTMLElement);
    this.#lag = mustFind(lane, 'lag', HTMLElement);
    this.#committed = mustFind(lane, 'committed', HTMLElement);
    this.#rail = mustFind(lane, 'rail', HTMLElement);
  }

  render(place: GroupPartitionDescription | undefined, track: Track): void {
    this.#renderPlate(place?.owner ?? null, place?.target ?? null);
    const committed = place?.committedOffset ?? null;
    setText(this.#lag, place === undefined ? '–' : formatCount(place.lag));
    this.#lag.classList.toggle('behind', (place?.lag ?? 0) > 0);
    setText(this.#committed, committed === null ? 'none' : formatCount(committed));
    this.#rail.hidden = committed === null;
    if (place === undefined || committed === null) return;
    // Both ends are of one moment: a newer end would show a lag that is only the look's.
    const end = track.heldAt === undefined ? place.endOffset : track.heldAt + 1;
    const done = 1 - (end - committed) / track.length;
    this.#rail.style.setProperty('--done', Math.min(Math.max(done, 0), 1).toFixed(4));
  }

  #renderPlate(owner: string | null, target: string | null): void {
    const isMine = owner === this.#memberId;
    const isMoving = owner !== target;
    const notes = [
      ...(isMine ? ['this tab'] : []),
      ...(isMoving ? [target === null ? 'leaving' : `to ${tabOf(target)}`] : []),
    ];
    setText(this.#owner, owner === null ? 'nobody' : tabOf(owner));
    setText(this.#note, notes.join(', '));
    this.#plate.classList.toggle('mine', isMine);
    this.#plate.classList.toggle('moving', isMoving);
    this.#lane.classList.toggle('unread', owner === null);
    if (owner !== null) colorByKey(this.#lane, tabOf(owner));
    if (owner !== null && owner !== this.#shownOwner) this.#flash();
    this.#shownOwner = owner;
    if (isMoving && target !== null) colorByKey(this.#plate, tabOf(target), '--to-hue');
  }

  /** Draws the eye to a partition whose reader has changed. */
  #flash(): void {
    if (this.#reducedMotion.matches) return;
    this.#plate.animate([{ transform: 'scale(1.12)' }, { transform: 'none' }], {
      duration: FLASH_MS,
      easing: 'ease-out',
    });
  }
}
