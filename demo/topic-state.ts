import type { MessageBatch, TopicDescription } from '../src/index.ts';
import type { DemoTopic } from './demo-log.ts';
import { LaneState } from './lane-state.ts';
import { RateMeter } from './rate-meter.ts';

/** What is known of one topic and its partitions. */
export class TopicState {
  readonly name: string;
  readonly rate = new RateMeter();
  lanes: readonly LaneState[];
  #id: string | undefined;

  /** Begins with empty lanes, so that nothing moves when the broker's answer comes. */
  constructor({ name, partitions = 1 }: DemoTopic) {
    this.name = name;
    this.lanes = Array.from({ length: partitions }, (_, partition) => {
      return new LaneState({ partition, startOffset: 0, endOffset: 0, bytes: 0 });
    });
  }

  get records(): number {
    return this.lanes.reduce((records, lane) => records + lane.records, 0);
  }

  /**
   * Takes the broker's description; tells whether it is the first, of the same topic, or of a new
   * one.
   */
  describe({ id, partitions }: TopicDescription): 'first' | 'same' | 'renewed' {
    const before = this.#id;
    if (id === before && partitions.length === this.lanes.length) {
      for (const [i, lane] of this.lanes.entries()) this.rate.add(lane.describe(partitions[i]!));
      return 'same';
    }
    this.#id = id;
    this.rate.clear();
    this.lanes = partitions.map((partition) => new LaneState(partition));
    return before === undefined || before === id ? 'first' : 'renewed';
  }

  add(batch: MessageBatch<DemoTopic>): void {
    const lane = this.lanes[batch.partition];
    if (lane !== undefined) this.rate.add(lane.add(batch));
  }
}
