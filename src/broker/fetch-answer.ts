import { toTablogError } from '../base/error.ts';
import type { FetchPartition, FetchedPartition } from '../protocol/broker.ts';
import { toErrorData } from '../protocol/error-data.ts';

type News = Pick<
  Extract<FetchedPartition, { readonly segments: unknown }>,
  'endOffset' | 'nextOffset' | 'segments' | 'compressed'
>;

/** What a fetch brings, within its bytes: the partition that reaches them is the last (KIP-74). */
export class FetchAnswer {
  readonly parts: FetchedPartition[] = [];
  #left: number;

  constructor(maxBytes: number) {
    this.#left = Math.max(maxBytes, 1); // one batch in any case
  }

  get left(): number {
    return this.#left;
  }

  get isFull(): boolean {
    return this.#left <= 0;
  }

  /** What may still be asked for of a partition. */
  cut(want: FetchPartition): FetchPartition {
    return want.maxBytes <= this.#left ? want : { ...want, maxBytes: this.#left };
  }

  add({ topicId, partition, offset }: FetchPartition, news: News): void {
    this.parts.push({ topicId, partition, offset, ...news });
    for (const { byteLength } of news.segments) this.#left -= byteLength;
  }

  fail({ topicId, partition, offset }: FetchPartition, error: unknown): void {
    this.parts.push({ topicId, partition, offset, error: toErrorData(toTablogError(error)) });
  }
}
