import { TablogError } from '../../base/error.ts';
import type { FetchedPartition } from '../../protocol/fetch.ts';
import { fromErrorData } from '../../protocol/error-data.ts';
import { ATTRIBUTE, CODEC, FIELD, MAX_INFLATED_BYTES } from '../../record/batch-format.ts';
import { RecordCursor } from '../../record/record-cursor.ts';
import { DecodeCalls, decodeRecord } from '../message/decode-record.ts';
import type { DecodeFailure, Undecodable } from '../message/decode-record.ts';
import type { PartitionProgress } from '../message/partition-progress.ts';
import type { Message } from '../message/message.ts';
import { PartitionState } from '../message/partition-state.ts';
import { PartitionSource } from '../message/partition-source.ts';
import { FetchBuffer } from './fetch-buffer.ts';
import type { SerdeWait } from '../topics/serde-context.ts';
import type { Topic } from '../topics/topic.ts';

/** Inflates a batch's records, given the id of its codec; throws beyond `limit` bytes. */
export type Inflate = (codec: number, records: Uint8Array, limit: number) => Uint8Array;

/** Called when the serde of a reader's next record waits; to be answered by `resume`. */
export type OnWait = (reader: PartitionReader, wait: SerdeWait) => void;

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
  readonly onWait?: OnWait;
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
  readonly #buffer = new FetchBuffer();
  #inflate: Inflate | undefined;
  #cursor: RecordCursor | undefined;
  /** The batch at the cursor, as it was fetched. */
  #batch: Uint8Array | undefined;
  /** Whether the record at the cursor was put back, and is the next one. */
  #isPutBack = false;
  #error: TablogError | undefined;
  readonly #calls: DecodeCalls;
  /** What the next record's serde waits for. */
  #wait: SerdeWait | undefined;
  /** Why the next record cannot be decoded, where that is known before. */
  #failure: DecodeFailure | undefined;
  readonly #onWait: OnWait | undefined;

  constructor(options: PartitionReaderOptions) {
    const { topic, topicId, partition, offset = 0, progress, onError, onWait } = options;
    this.source = new PartitionSource(topic, topicId, partition, progress);
    this.topic = topic;
    this.topicId = topicId;
    this.partition = partition;
    this.progress = progress;
    this.#onError = onError;
    this.state = progress?.state ?? new PartitionState('reading');
    this.#position = offset;
    this.#fetchOffset = offset;
    this.#calls = new DecodeCalls(topic.name);
    this.#onWait = onWait;
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
    return this.#buffer.byteLength;
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
    this.#buffer.add(fetched.segments);
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

  /**
   * The next message, or `undefined` where a fetch or what its serde waits for has to come first.
   * Throws what stops the partition.
   */
  next(): Message | Undecodable | undefined {
    if (!this.isReadable || this.#wait !== undefined) return undefined;
    for (;;) {
      const cursor = this.#cursor ?? this.#nextBatch();
      if (cursor === undefined) return undefined;
      if (this.#isPutBack) this.#isPutBack = false;
      else if (!this.#advance(cursor)) continue;
      if (cursor.offset < this.#position) continue; // the batch began before the place sought
      this.#position = cursor.offset + 1;
      const decoded = decodeRecord(this.source, cursor, this.#calls, this.#failure);
      if (this.#failure !== undefined) this.#failure = undefined;
      if (decoded === undefined) this.suspend(this.#calls.wait!);
      return decoded;
    }
  }

  /**
   * The next batch as it is stored, whole, also where records of it were read before; `undefined`
   * where a fetch has to come first. Throws what stops the partition.
   */
  nextRaw(): Uint8Array | undefined {
    if (!this.isReadable) return undefined;
    for (;;) {
      const cursor = this.#cursor ?? this.#nextBatch(true);
      if (cursor === undefined) return undefined;
      const batch = this.#batch;
      this.#leaveBatch();
      if (cursor.nextOffset <= this.#position) continue;
      this.#position = cursor.nextOffset;
      return batch;
    }
  }

  /** Whether the next record's serde waits for something: nothing is read before `resume`. */
  get isWaiting(): boolean {
    return this.#wait !== undefined;
  }

  /** Puts the record that `next()` returned last back, until its serde is to be called again. */
  suspend(wait: SerdeWait): void {
    this.putBack();
    this.#wait = wait;
    this.#onWait?.(this, wait);
  }

  /**
   * Ends a wait, unless a seek has: the record is decoded again, or cannot be decoded because of
   * `failure`. Returns whether it was the reader's wait.
   */
  resume(wait: SerdeWait, failure?: DecodeFailure): boolean {
    if (this.#wait !== wait) return false;
    this.#wait = undefined;
    this.#failure = failure;
    return true;
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
    this.#leaveBatch();
    this.#position = Math.max(this.#position, cursor.nextOffset);
    return false;
  }

  /** A cursor for the next batch; it finds no records where they are compressed and `isRaw`. */
  #nextBatch(isRaw = false): RecordCursor | undefined {
    for (;;) {
      try {
        const bytes = this.#buffer.take();
        if (bytes === undefined) break;
        // Control batches, the markers of transactions, have no records for applications.
        if ((bytes[FIELD.attributes + 1]! & ATTRIBUTE.control) !== 0) {
          this.#position = Math.max(this.#position, new RecordCursor({ bytes }).nextOffset);
          continue;
        }
        this.#batch = bytes;
        const records = isRaw ? undefined : this.#inflated(bytes);
        return (this.#cursor = new RecordCursor({ bytes }, records));
      } catch (error) {
        throw this.#stop(error);
      }
    }
    if (this.#error !== undefined) throw this.#error;
    return undefined;
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
    this.#buffer.clear();
    this.#leaveBatch();
  }

  /** Nothing of the batch at the cursor is to come any more. */
  #leaveBatch(): void {
    this.#batch = undefined;
    this.#cursor = undefined;
    this.#isPutBack = false;
    this.#wait = undefined;
    this.#failure = undefined;
  }
}
