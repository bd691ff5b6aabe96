import type { Log } from '../../client/log.ts';
import { systemClock } from '../../platform/clock.ts';

/** A mirrored partition, and what was heard of its source. */
export interface MirrorEnds {
  readonly topic: string;
  readonly partition: number;
  /** The end of the mirror. */
  readonly end: number;
  /** The end of the source as of then. */
  readonly sourceEnd: number;
}

/** The group whose commits say what was heard of the sources, as metadata. Nobody reads by it. */
export const MIRROR_GROUP = 'tablog-mirrors';

/** The interval at which an end is stored while a mirror is behind, in milliseconds. */
const INTERVAL_MS = 1_000;

/** Stores what was heard of the ends of mirrored partitions, for who asks after the source is gone. */
export class HeardEnds {
  readonly #log: Log;
  readonly #noted = new Map<string, { readonly at: number; readonly sourceEnd: number }>();

  constructor(log: Log) {
    this.#log = log;
  }

  async note({ topic, partition, end, sourceEnd }: MirrorEnds): Promise<void> {
    const key = `${topic}/${partition}`;
    const now = systemClock.now();
    const noted = this.#noted.get(key);
    const isRecent = noted !== undefined && now - noted.at < INTERVAL_MS;
    if (isRecent && (end < sourceEnd || noted.sourceEnd === sourceEnd)) return;
    this.#noted.set(key, { at: now, sourceEnd });
    const metadata = JSON.stringify({ sourceEnd, heardAt: now });
    await this.#log.admin.alterGroupOffsets(MIRROR_GROUP, [
      { topic, partition, offset: 0, metadata },
    ]);
  }
}
