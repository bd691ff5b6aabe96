import { fromTemplate, mustFind, setText } from './dom.ts';
import { formatCount, formatRate } from './format.ts';
import { LaneView } from './lane-view.ts';
import type { Selection } from './selection.ts';
import type { TopicState } from './topic-state.ts';

const WIDTH = 120;
const HEIGHT = 32;

export interface TopicViewOptions {
  readonly about: string;
  readonly selection: Selection;
  readonly onLayout: () => void;
}

/** One topic: its figures, its last minute, and a lane for each partition. */
export class TopicView {
  readonly root: HTMLElement = fromTemplate('topic-template');
  readonly #options: TopicViewOptions;
  readonly #rate = mustFind(this.root, 'rate', HTMLElement);
  readonly #records = mustFind(this.root, 'records', HTMLElement);
  readonly #rates = mustFind(this.root, 'rates', SVGPathElement);
  readonly #list = mustFind(this.root, 'lanes', HTMLElement);
  #lanes: readonly LaneView[] = [];

  constructor(topic: TopicState, options: TopicViewOptions) {
    this.#options = options;
    const name = mustFind(this.root, 'name', HTMLElement);
    setText(name, topic.name);
    setText(mustFind(this.root, 'about', HTMLElement), options.about);
    name.id = `topic-${topic.name}`;
    this.root.setAttribute('aria-labelledby', name.id);
  }

  render(topic: TopicState): void {
    if (topic.lanes.length !== this.#lanes.length) this.#makeLanes(topic);
    const mostRecords = Math.max(...topic.lanes.map(({ records }) => records));
    for (const [i, lane] of topic.lanes.entries()) this.#lanes[i]?.render(lane, mostRecords);
    setText(this.#rate, formatRate(topic.rate.current));
    setText(this.#records, topic.lanes.length === 0 ? '–' : formatCount(topic.records));
    this.#rates.setAttribute('d', area(topic.rate.history));
  }

  #makeLanes({ name, lanes }: TopicState): void {
    const { selection, onLayout } = this.#options;
    this.#lanes = lanes.map(({ partition }) => new LaneView(name, partition, selection, onLayout));
    this.#list.replaceChildren(...this.#lanes.map(({ root }) => root));
  }
}

/** The rates as an area from the left to the right, as high as the highest. */
function area(rates: readonly number[]): string {
  const highest = Math.max(...rates, 1);
  const step = WIDTH / (rates.length - 1);
  const points = rates.map((rate, i) => {
    const y = HEIGHT - (rate / highest) * (HEIGHT - 2);
    return `L${(i * step).toFixed(1)} ${y.toFixed(1)}`;
  });
  return `M0 ${HEIGHT}${points.join('')}L${WIDTH} ${HEIGHT}Z`;
}
