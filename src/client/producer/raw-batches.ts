import { checkBoolean, checkInteger, mistake, withDefaults } from '../../base/argument.ts';
import { isBytes } from '../../base/brand.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import { corruptBatch } from '../../record/batch-error.ts';
import { wholeBatchBytes } from '../../record/batch-length.ts';
import { RecordBatch } from '../../record/batch-reader.ts';
import type { BatchResult, RecordMetadata, Sink } from '../accumulator/partition-accumulator.ts';
import type { Submission } from './admission.ts';
import type { RecordBuffer } from './record-buffer.ts';
import { collectResults } from './collect-results.ts';
import type { SendRawOptions } from './send-options.ts';

/** The place of a batch that `sendRaw` stored. */
export interface RawMetadata extends RecordMetadata {
  /**
   * The base offset of the batch, which is that of its first record unless compaction has removed
   * it.
   */
  readonly offset: number;
  /** The offset after the batch. */
  readonly nextOffset: number;
  /** The number of records in the batch. */
  readonly recordCount: number;
  /** The newest timestamp in the batch, in milliseconds since 1970. */
  readonly timestamp: number;
}

/** The arguments of a `sendRaw`. */
export interface RawRequest {
  readonly topic: string;
  readonly partition: number;
  readonly batches: ArrayBuffer | Uint8Array;
  readonly expectedOffset: number | undefined;
  readonly keepOffsets: boolean;
  readonly signal: AbortSignal | undefined;
  /** The time of the call, in milliseconds since 1970. */
  readonly sentAt: number;
}

export type CheckedRawOptions = Pick<RawRequest, 'expectedOffset' | 'keepOffsets' | 'signal'>;

/**
 * Checks the options of `sendRaw`, except for the signal. Throws a `TypeError` or a `RangeError`.
 */
export function checkRawOptions(options: SendRawOptions = {}): CheckedRawOptions {
  const known: CheckedRawOptions = {
    expectedOffset: undefined,
    keepOffsets: false,
    signal: undefined,
  };
  const checked = withDefaults<CheckedRawOptions>('sendRaw()', options, known);
  const { expectedOffset, keepOffsets, signal } = checked;
  if (expectedOffset !== undefined) checkInteger('expectedOffset', expectedOffset, 0);
  checkBoolean('keepOffsets', keepOffsets);
  if (keepOffsets && expectedOffset === undefined) {
    throw new TypeError('keepOffsets needs expectedOffset, the end of the partition');
  }
  return { expectedOffset, keepOffsets, signal };
}

/**
 * The submission of the batches of a request; `undefined` where there are none. Throws a
 * `TypeError` or `BATCH_CORRUPT`.
 */
export function rawSubmission(
  buffer: RecordBuffer,
  { topic, batches, signal, ...request }: RawRequest,
  resolve: (results: RawMetadata[]) => void,
  refuse: (reason: unknown) => void,
): Submission | undefined {
  const parsed = readAll(bytesOf(batches));
  const sink = collectResults(parsed.length, resolve, refuse);
  if (parsed.length === 0) return undefined;
  return {
    topic,
    signal,
    sentAt: request.sentAt,
    refuse,
    own() {}, // the bytes are copies
    accepts: ({ partitions }) => request.partition < partitions,
    add(info) {
      addAll(parsed, buffer, info, { ...request, signal, sink });
    },
  };
}

interface Destination extends Pick<
  RawRequest,
  'partition' | 'expectedOffset' | 'keepOffsets' | 'signal' | 'sentAt'
> {
  readonly sink: Sink<RawMetadata>;
}

function addAll(
  batches: readonly RecordBatch[],
  buffer: RecordBuffer,
  topic: TopicInfo,
  { partition, expectedOffset, keepOffsets, signal, sentAt, sink }: Destination,
): void {
  const accumulator = buffer.topic(topic).of(partition);
  let next = expectedOffset ?? null;
  batches.forEach((batch, index) => {
    const { recordCount, nextOffset, baseOffset, maxTimestamp } = batch;
    const offsets = nextOffset - baseOffset;
    const settle = (result: BatchResult): void => {
      if (!('baseOffset' in result)) return sink(index, result);
      const offset = result.baseOffset;
      const timestamp = result.appendTime ?? maxTimestamp;
      const metadata = { topic: topic.name, partition, offset, timestamp };
      sink(index, { ...metadata, nextOffset: offset + offsets, recordCount });
    };
    const bytes = batch.bytes as Uint8Array<ArrayBuffer>;
    const placed = { expectedOffset: next, keepsOffset: keepOffsets, signal, sentAt };
    const added = accumulator.addRaw({ bytes, recordCount, ...placed, settle });
    buffer.added(accumulator, added);
    if (next !== null) next = keepOffsets ? nextOffset : next + offsets;
  });
  buffer.sender.drain('full');
}

function bytesOf(input: ArrayBuffer | Uint8Array): Uint8Array {
  const isBuffer = Object.prototype.toString.call(input) === '[object ArrayBuffer]';
  if (!isBuffer && !isBytes(input)) {
    throw mistake('sendRaw() takes the bytes of record batches', input);
  }
  return isBuffer ? new Uint8Array(input) : (input as Uint8Array);
}

/**
 * Splits the bytes into batches and checks their headers. Each batch is copied to a buffer of its
 * own.
 */
function readAll(bytes: Uint8Array): RecordBatch[] {
  const batches: RecordBatch[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = wholeBatchBytes(bytes, at);
    if (size === undefined) {
      throw corruptBatch(
        `of the one at byte ${at} there are ${bytes.length - at} bytes, and no more`,
      );
    }
    const batch = new RecordBatch(new Uint8Array(bytes.subarray(at, at + size)));
    const kind = batch.isControl ? 'a control batch' : 'of a transaction';
    if (batch.isControl || batch.isTransactional) {
      throw new TypeError(
        `sendRaw() takes no batches of transactions, and the one at byte ${at} is ${kind}`,
      );
    }
    if (batch.recordCount === 0) throw corruptBatch(`the one at byte ${at} has no records`);
    batches.push(batch);
    at += size;
  }
  return batches;
}
