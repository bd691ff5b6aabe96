import { TablogError } from '../../base/error.ts';
import type { FetchedPartition } from '../../protocol/fetch.ts';
import { fromErrorData } from '../../protocol/error-data.ts';
import { ATTRIBUTE, CODEC, FIELD, MAX_INFLATED_BYTES } from '../../record/batch-format.ts';
import { wholeBatchBytes } from '../../record/batch-length.ts';
import { RecordCursor } from '../../record/record-cursor.ts';
import { decodeRecord } from '../message/decode-record.ts';
import type { Undecodable } from '../message/decode-record.ts';
import type { PartitionProgress } from '../message/partition-progress.ts';
import type { Message } from '../message/message.ts';
import { PartitionState } from '../message/partition-state.ts';
import { PartitionSource } from '../message/partition-source.ts';
import type { Topic } from '../topics/topic.ts';

/** Inflates a batch's records, given the id of its codec; throws beyond `limit` bytes. */
export type Inflate = (codec: number, records: Uint8Array, limit: number) => Uint8Array;

export interface PartitionReaderOptions {
  readonly topic: Topic;
  readonly topicId: string;
  readonly partition: number;
  /** The offset of the first message. Default 0. */
  readonly offset?: number;
  /** `undefined` without a group. */
  readonly progress?: PartitionProgress | undefined;
  /**
   * Called with an error that a fetch brought for the partition. Returns true where something is
   * done about it; else whoever reads gets the error.
   */
  readonly onError?: (reader: PartitionReader, error: TablogError) => boolean;
}

/**
 * A consumer's position in one partition: the records that were fetched and not polled yet, and the
 * cursor that decodes them, record by record.
 */
export class PartitionReader {
  readonly source: PartitionSource;
  readonly topic: Topic;
  readonly topicId: string;
  readonly partition: number;
  /** What the group's member has done with the partition; `undefined` without a group. */
  readonly progress: PartitionProgress | undefined;
  /** Decides what is fetched, polled and delivered. Seeks go through the reader. */
  readonly state: PartitionState;
  readonly #onError: PartitionReaderOptions['onError'];
  #isPaused = false;
  #position: number;
  #fetchOffset: number;
  #endOffset = 0;
  #segments: Uint8Array[] = [];
  #at = 0;
  #bufferedBytes = 0;
  #inflate: Inflate | undefined;
  #cursor: RecordCursor | undefined;
  /** Whether the record at the cursor was put back, and is the next one. */
  #isPutBack = false;
  #error: TablogError | undefined;

  constructor(options: PartitionReaderOptions) {
    const { topic, topicId, partition, offset = 0, progress, onError } = options;
    this.source = new PartitionSource(topic, topicId, partition, progress);
    this.topic = topic;
    this.topicId = topicId;
    this.partition = partition;
    this.progress = progress;
    this.#onError = onError;
    this.state = progress?.state ?? new PartitionState('reading');
    this.#position = offset;
    this.#fetchOffset = offset;
  }

  /** Whether records may be fetched and polled. */
  get isReadable(): boolean {
    return this.state.polls && !this.#isPaused;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** The offset of the next message. */
  get position(): number {
    return this.#position;
  }

  /** The partition's end offset as of the last fetch. */
  get endOffset(): number {
    return this.#endOffset;
  }

  /** Where the next fetch begins: after what is buffered. */
  get fetchOffset(): number {
    return this.#fetchOffset;
  }

  /** Bytes fetched and not read yet. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** Nothing more can be fetched before a seek. */
  get failed(): boolean {
    return this.#error !== undefined;
  }

  /** While paused, nothing is polled; the buffer stays. */
  setPaused(paused: boolean): void {
    this.#isPaused = paused;
  }

  /** Takes what a fetch brought; `inflate` where a batch of it is compressed. */
  accept(fetched: FetchedPartition, inflate?: Inflate): void {
    if ('error' in fetched) {
      const error = fromErrorData(fetched.error);
      if (this.#onError?.(this, error) !== true) this.fail(error);
      return;
    }
    this.#inflate = inflate ?? this.#inflate;
    this.#endOffset = fetched.endOffset;
    for (const segment of fetched.segments) {
      const bytes = new Uint8Array(segment);
      this.#segments.push(bytes);
      this.#bufferedBytes += bytes.length;
    }
    this.#fetchOffset = fetched.nextOffset;
  }

  /** Stops here: whoever reads gets the error, until a seek. */
  fail(error: TablogError): void {
    this.#error = this.#locate(error);
  }

  /** Moves to `offset`, and drops what was buffered. */
  seek(offset: number): void {
    (this.progress ?? this.state).seek(offset);
    this.#position = offset;
    this.#fetchOffset = offset;
    this.#drop();
    this.#error = undefined;
  }

  /**
   * Has `offset` read again, unless somebody has sought since `seekVersion`, or it is to come
   * anyway.
   */
  rewind(seekVersion: number, offset: number): void {
    if (offset < this.#position && this.state.isCurrent(seekVersion)) this.seek(offset);
  }

  /** The next message, or `undefined` where a fetch has to come first. Throws what stops the partition. */
  next(): Message | Undecodable | undefined {
    if (!this.isReadable) return undefined;
    for (;;) {
      const cursor = this.#cursor ?? this.#nextBatch();
      if (cursor === undefined) {
        if (this.#error !== undefined) throw this.#error;
        return undefined;
      }
      if (this.#isPutBack) this.#isPutBack = false;
      else if (!this.#advance(cursor)) continue;
      if (cursor.offset < this.#position) continue; // the batch began before the place sought
      this.#position = cursor.offset + 1;
      return decodeRecord(this.source, cursor);
    }
  }

  /**
   * The cursor at the record that `next()` returned last, valid until the next call; `undefined`
   * after a seek.
   */
  get cursor(): RecordCursor | undefined {
    return this.#cursor;
  }

  /** Puts the record that `next()` returned last back: the next call decodes it again. */
  putBack(): void {
    this.#isPutBack = true;
    this.#position = this.#cursor!.offset;
  }

  /** Goes past the record that was put back; false where a seek has changed the next record. */
  pass(offset: number): boolean {
    if (!this.#isPutBack || this.#cursor?.offset !== offset) return false;
    this.#isPutBack = false;
    this.#position = offset + 1;
    return true;
  }

  #advance(cursor: RecordCursor): boolean {
    try {
      if (cursor.next()) return true;
    } catch (error) {
      throw this.#stop(error);
    }
    this.#cursor = undefined;
    this.#position = Math.max(this.#position, cursor.nextOffset);
    return false;
  }

  #nextBatch(): RecordCursor | undefined {
    for (;;) {
      const segment = this.#segments[0];
      if (segment === undefined) return undefined;
      try {
        const size = wholeBatchBytes(segment, this.#at);
        if (size === undefined) {
          this.#segments.shift();
          this.#at = 0;
          continue;
        }
        const bytes = segment.subarray(this.#at, this.#at + size);
        this.#at += size;
        this.#bufferedBytes -= size;
        // Control batches, the markers of transactions, have no records for applications.
        if ((bytes[FIELD.attributes + 1]! & ATTRIBUTE.control) !== 0) {
          this.#position = Math.max(this.#position, new RecordCursor({ bytes }).nextOffset);
          continue;
        }
        return (this.#cursor = new RecordCursor({ bytes }, this.#inflated(bytes)));
      } catch (error) {
        throw this.#stop(error);
      }
    }
  }

  /** The records of a compressed batch. */
  #inflated(batch: Uint8Array): Uint8Array | undefined {
    const codec = batch[FIELD.attributes + 1]! & ATTRIBUTE.codec;
    if (codec === CODEC.none) return undefined;
    return this.#inflate!(codec, batch.subarray(FIELD.records), MAX_INFLATED_BYTES);
  }

  /** A batch that cannot be read: the partition stops before it until somebody seeks. */
  #stop(error: unknown): unknown {
    if (!(error instanceof TablogError)) return error;
    this.#error = this.#locate(error);
    this.#drop();
    return this.#error;
  }

  #locate(error: TablogError): TablogError {
    const { partition } = this;
    const offset = this.#position;
    const topic = this.topic.name;
    const where = `topic '${topic}', partition ${partition}, offset ${offset}`;
    return error.at(where, { topic, partition, offset });
  }

  #drop(): void {
    this.#segments = [];
    this.#at = 0;
    this.#cursor = undefined;
    this.#isPutBack = false;
    this.#bufferedBytes = 0;
  }
}
