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
import { PartitionSource } from '../message/partition-source.ts';
import type { Topic } from '../topics/topic.ts';

/** Inflates a batch's records, given the id of its codec; throws beyond `limit` bytes. */
export type Inflate = (codec: number, records: Uint8Array, limit: number) => Uint8Array;

/**
 * A consumer's place in one partition: where it stands, what has been fetched and is not read yet,
 * and the cursor that decodes it, record by record.
 */
export class PartitionReader {
  readonly source: PartitionSource;
  readonly topic: Topic;
  readonly topicId: string;
  readonly partition: number;
  /** The offset of the next message. */
  position = 0;
  paused = false;
  /** Nothing is handed out: it has no place yet, or is being given up. */
  stopped = false;
  /** Gets what stops it first; `true`: something is being done about it. */
  onError: ((error: TablogError) => boolean) | undefined;
  /** The offset that the broker was asked for; `undefined` while it is not asked. */
  askedOffset: number | undefined;
  /** The last `consumer.seek` that moves it. */
  seekCall = 0;
  /** Goes up at each seek: what was fetched before it is thrown away. */
  epoch = 0;
  endOffset = 0;
  inflate: Inflate | undefined;
  #segments: Uint8Array[] = [];
  #at = 0;
  #cursor: RecordCursor | undefined;
  /** Whether the record at the cursor was put back, and is the next one. */
  #isPutBack = false;
  #fetchOffset = 0;
  #bufferedBytes = 0;
  #error: TablogError | undefined;

  constructor(topic: Topic, topicId: string, partition: number) {
    this.source = new PartitionSource(topic, topicId, partition);
    this.topic = topic;
    this.topicId = topicId;
    this.partition = partition;
  }

  /** The member's hold on the partition; `undefined` without a group. */
  get progress(): PartitionProgress | undefined {
    return this.source.progress;
  }

  set progress(progress: PartitionProgress) {
    this.source.progress = progress;
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

  /** Takes what a fetch brought. */
  accept(fetched: FetchedPartition): void {
    if ('error' in fetched) {
      const error = fromErrorData(fetched.error);
      if (!this.onError?.(error)) this.#error = this.#locate(error);
      return;
    }
    this.endOffset = fetched.endOffset;
    for (const segment of fetched.segments) {
      const bytes = new Uint8Array(segment);
      this.#segments.push(bytes);
      this.#bufferedBytes += bytes.length;
    }
    this.#fetchOffset = fetched.nextOffset;
  }

  /** Moves to `offset`, and drops what was buffered. */
  seek(offset: number): void {
    this.epoch++;
    this.position = offset;
    this.#fetchOffset = offset;
    this.#drop();
    this.#error = undefined;
    this.progress?.restart(offset);
  }

  /** Has `offset` read again, unless somebody has sought since `epoch`, or it is to come anyway. */
  rewind(epoch: number, offset: number): void {
    if (this.stopped || offset >= this.position) return;
    if (epoch === this.epoch) this.seek(offset);
  }

  /** The next message, or `undefined` where a fetch has to come first. Throws what stops the partition. */
  next(): Message | Undecodable | undefined {
    if (this.paused || this.stopped) return undefined;
    for (;;) {
      const cursor = this.#cursor ?? this.#nextBatch();
      if (cursor === undefined) {
        if (this.#error !== undefined) throw this.#error;
        return undefined;
      }
      if (this.#isPutBack) this.#isPutBack = false;
      else if (!this.#advance(cursor)) continue;
      if (cursor.offset < this.position) continue; // the batch began before the place sought
      this.position = cursor.offset + 1;
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
    this.position = this.#cursor!.offset;
  }

  /** Goes past the record that was put back; false where a seek has changed the next record. */
  pass(offset: number): boolean {
    if (!this.#isPutBack || this.#cursor?.offset !== offset) return false;
    this.#isPutBack = false;
    this.position = offset + 1;
    return true;
  }

  #advance(cursor: RecordCursor): boolean {
    try {
      if (cursor.next()) return true;
    } catch (error) {
      throw this.#stop(error);
    }
    this.#cursor = undefined;
    this.position = Math.max(this.position, cursor.nextOffset);
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
          this.position = Math.max(this.position, new RecordCursor({ bytes }).nextOffset);
          continue;
        }
        return (this.#cursor = new RecordCursor({ bytes }, this.#inflate(bytes)));
      } catch (error) {
        throw this.#stop(error);
      }
    }
  }

  /** The records of a compressed batch. */
  #inflate(batch: Uint8Array): Uint8Array | undefined {
    const codec = batch[FIELD.attributes + 1]! & ATTRIBUTE.codec;
    if (codec === CODEC.none) return undefined;
    return this.inflate!(codec, batch.subarray(FIELD.records), MAX_INFLATED_BYTES);
  }

  /** A batch that cannot be read: the partition stops before it until somebody seeks. */
  #stop(error: unknown): unknown {
    if (!(error instanceof TablogError)) return error;
    this.#error = this.#locate(error);
    this.#drop();
    return this.#error;
  }

  #locate(error: TablogError): TablogError {
    const { partition, position: offset } = this;
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
