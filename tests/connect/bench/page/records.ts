import type { Job } from '../job.ts';
import { WARM_UP_MARK, WARM_UP_RECORDS } from '../job.ts';

/** The records of one partition of a topic. */
export interface Part {
  readonly topic: string;
  readonly partition: number;
  readonly values: readonly string[];
}

export interface Parts {
  readonly warmUp: readonly Part[];
  readonly measured: readonly Part[];
}

/** What both sides send: record `i` is in the partition `i` modulo their number. */
export function partsOf({ topics, records, bytes, partitions }: Job): Parts {
  const parts = (topic: string, count: number, mark: string): Part[] =>
    Array.from({ length: partitions }, (_, partition) => ({
      topic,
      partition,
      values: Array.from({ length: count }, (__, i) => i)
        .filter((i) => i % partitions === partition)
        .map((i) => `${mark}${i} `.padEnd(bytes - '""'.length, 'x')),
    }));
  return {
    warmUp: parts(topics.warmUp, WARM_UP_RECORDS, WARM_UP_MARK),
    measured: parts(topics.measured, records, ''),
  };
}
