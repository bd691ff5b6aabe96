import { toTablogError } from '../../base/error.ts';
import type { FetchPartition, FetchedPartition } from '../../protocol/fetch.ts';
import { toErrorData } from '../../protocol/error-data.ts';

type News = Pick<
  Extract<FetchedPartition, { readonly segments: unknown }>,
  'endOffset' | 'nextOffset' | 'segments' | 'compressed'
>;

/**
 * The answer to one fetch. The partition that reaches `maxBytes` is the last one answered (KIP-74).
 */
export class FetchAnswer {
  readonly parts: FetchedPartition[] = [];
  #left: number;

  constructor(maxBytes: number) {
    this.#left = Math.max(maxBytes, 1); // the first batch is always sent, however large (KIP-74)
  }

  get left(): number {
    return this.#left;
  }

  get isFull(): boolean {
    return this.#left <= 0;
  }

  /** The wanted partition, with `maxBytes` cut to the bytes that the answer has left. */
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
