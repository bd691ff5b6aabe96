import type { MessageBatch, TopicDescription } from '../src/index.ts';
import type { DemoTopic } from './demo-log.ts';
import { LaneState } from './lane-state.ts';
import { RateMeter } from './rate-meter.ts';

/** What is known of one topic and its partitions. */
export class TopicState {
  readonly name: string;
  readonly rate = new RateMeter();
  lanes: readonly LaneState[] = [];
  #id: string | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get records(): number {
    return this.lanes.reduce((records, lane) => records + lane.records, 0);
  }

  /** Takes what the broker tells. Returns `false` where it is another topic than before. */
  describe({ id, partitions }: TopicDescription): boolean {
    const same = id === this.#id && partitions.length === this.lanes.length;
    if (same) {
      for (const [i, lane] of this.lanes.entries()) this.rate.add(lane.describe(partitions[i]!));
    } else {
      this.#id = id;
      this.lanes = partitions.map((partition) => new LaneState(partition));
    }
    return same;
  }

  add(batch: MessageBatch<DemoTopic>): void {
    const lane = this.lanes[batch.partition];
    if (lane !== undefined) this.rate.add(lane.add(batch));
  }
}
