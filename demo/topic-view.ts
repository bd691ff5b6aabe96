import { fromTemplate, mustFind, setText } from './dom.ts';
import { formatCount, formatRate } from './format.ts';
import type { GroupState } from './group-state.ts';
import { LaneView } from './lane-view.ts';
import type { LaneViewOptions } from './lane-view.ts';
import { drawSparkline } from './sparkline.ts';
import type { TopicState } from './topic-state.ts';

export interface TopicViewOptions extends LaneViewOptions {
  readonly about: string;
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
    this.root.classList.toggle('shared', options.memberId !== undefined);
    this.root.setAttribute('aria-labelledby', name.id);
    this.#makeLanes(topic);
  }

  render(topic: TopicState, group: GroupState): void {
    if (topic.lanes.length !== this.#lanes.length) this.#makeLanes(topic);
    const mostRecords = Math.max(...topic.lanes.map(({ records }) => records));
    for (const [i, lane] of topic.lanes.entries()) {
      this.#lanes[i]?.render(lane, group.place(topic.name, lane.partition), mostRecords);
    }
    setText(this.#rate, formatRate(topic.rate.current));
    setText(this.#records, formatCount(topic.records));
    drawSparkline(this.#rates, topic.rate.history);
  }

  #makeLanes({ name, lanes }: TopicState): void {
    this.#lanes = lanes.map(({ partition }) => new LaneView(name, partition, this.#options));
    this.#list.replaceChildren(...this.#lanes.map(({ root }) => root));
  }
}
