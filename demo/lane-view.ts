import type { GroupPartitionDescription } from '../src/index.ts';
import { fromTemplate, mustFind, setText, textElement } from './dom.ts';
import { formatBytes, formatCount } from './format.ts';
import { colorByKey } from './key-color.ts';
import { LaneReader } from './lane-reader.ts';
import type { LaneState } from './lane-state.ts';
import type { Selection } from './selection.ts';
import { Track } from './track.ts';

export interface LaneViewOptions {
  /** This tab's, in the group that shares the topic; `undefined`: none does. */
  readonly memberId: string | undefined;
  readonly selection: Selection;
  readonly onLayout: () => void;
}

/** One partition, as a row. */
export class LaneView {
  readonly root: HTMLElement = fromTemplate('lane-template');
  readonly #track: Track;
  readonly #reader: LaneReader | undefined;
  readonly #held = mustFind(this.root, 'held', HTMLElement);
  readonly #offsets = mustFind(this.root, 'offsets', HTMLElement);
  readonly #bytes = mustFind(this.root, 'bytes', HTMLElement);
  readonly #share = mustFind(this.root, 'share', HTMLElement);
  readonly #keys = mustFind(this.root, 'keys', HTMLElement);
  #keysShown = '';

  constructor(topic: string, partition: number, options: LaneViewOptions) {
    const { memberId, selection, onLayout } = options;
    setText(mustFind(this.root, 'partition', HTMLElement), String(partition));
    const track = mustFind(this.root, 'track', HTMLElement);
    track.ariaLabel = `Newest records of ${topic}, partition ${partition}`;
    this.#track = new Track(track, selection, onLayout);
    if (memberId !== undefined) this.#reader = new LaneReader(this.root, memberId);
  }

  /**
   * `place`: what the group knows of the partition. `mostRecords`: of the fullest one, which the bars
   * are measured by.
   */
  render(lane: LaneState, place: GroupPartitionDescription | undefined, mostRecords: number): void {
    this.#track.render(lane);
    this.#reader?.render(place, this.#track);
    const { heldAt } = this.#track;
    const newer = heldAt === undefined ? 0 : lane.endOffset - 1 - heldAt;
    this.#held.hidden = newer <= 0;
    setText(this.#held, `held, ${formatCount(newer)} newer`);
    const { startOffset, endOffset } = lane;
    const range = `${formatCount(startOffset)} – ${formatCount(endOffset)}`;
    setText(this.#offsets, lane.records === 0 ? 'empty' : range);
    setText(this.#bytes, formatBytes(lane.bytes));
    this.#share.style.setProperty('--share', String(lane.records / Math.max(mostRecords, 1)));
    this.#renderKeys(lane.keys);
  }

  /** In the alphabet's order, so that they do not jump about as they are used. */
  #renderKeys(keys: readonly string[]): void {
    const sorted = [...keys].sort((a, b) => a.localeCompare(b));
    const shown = JSON.stringify(sorted);
    if (shown === this.#keysShown) return;
    this.#keysShown = shown;
    const items = sorted.map((key) => {
      const item = textElement('li', key, 'key');
      item.title = key;
      colorByKey(item, key);
      return item;
    });
    this.#keys.replaceChildren(...items);
  }
}
