import { INVALID_CONFIG, TOPIC_READ_ONLY } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import type { Append } from '../../protocol/produce.ts';
import type { TopicConfig } from '../../protocol/topic.ts';
import { compressBatch } from '../../log/compress.ts';
import { checkSequence, validateBatch, validateRawBatch } from '../../log/validate.ts';
import { MAX_INFLATED_BYTES } from '../../record/batch-format.ts';
import { RecordBatch } from '../../record/batch-reader.ts';
import { sealBatch, stampAppendTime } from '../../record/batch-seal.ts';
import type { ProducerStamp } from '../../record/batch-seal.ts';
import type { Sequenced } from '../../log/producer-state.ts';
import type { NewAppend } from './group-commit.ts';

/**
 * Validates a batch, and compresses it as the producer asks. This slow work is done before the
 * transaction, while another one may be running. Throws the error that refuses the batch.
 */
export function prepareAppend(append: Append, config: TopicConfig, now: number): NewAppend {
  const { topicId, partition, expectedOffset = null, isDeadLetter = false, raw } = append;
  const { cleanup, timestampType } = config;
  const keepsOffset = raw?.keepsOffset === true;
  if (keepsOffset) mustBeMirror(append, config);
  else mustBeWritable(append, config);
  const maxRecordBytes = isDeadLetter ? MAX_INFLATED_BYTES : config.maxRecordBytes;
  const needsKeys = cleanup !== 'delete' && !isDeadLetter;
  let bytes = new Uint8Array(append.batch);
  const limits = { maxRecordBytes, maxBatchBytes: MAX_INFLATED_BYTES, needsKeys };
  const { codec, recordCount } = (raw ? validateRawBatch : validateBatch)(bytes, limits);
  const appendTime = timestampType === 'append' ? now : null;
  if (appendTime !== null) {
    bytes = bytes.slice(); // the sent bytes must stay the same for a retry
    stampAppendTime(bytes, appendTime);
  }
  if (codec === 'none' && !raw) bytes = compressBatch(bytes, append.compression);
  if (!raw || appendTime !== null) sealBatch(bytes);
  const batch = new RecordBatch(bytes);
  const sequenced = raw ? { ...sequenceOf(raw.producer), recordCount } : batch;
  checkSequence(sequenced);
  return { topicId, partition, batch, appendTime, expectedOffset, keepsOffset, sequenced };
}

/** Throws `INVALID_CONFIG` for a topic that is no mirror, or no longer one. */
function mustBeMirror(
  { topicId }: Pick<Append, 'topicId'>,
  { mirrorOf }: Pick<TopicConfig, 'mirrorOf'>,
): void {
  if (mirrorOf !== null) return;
  const happened = `the topic with id ${topicId} is no mirror: keepOffsets needs mirrorOf`;
  throw new TablogError(INVALID_CONFIG, happened, { details: { topicId } });
}

/** Throws `TOPIC_READ_ONLY` for a mirror. */
export function mustBeWritable(
  { topicId }: Pick<Append, 'topicId'>,
  { mirrorOf }: Pick<TopicConfig, 'mirrorOf'>,
): void {
  if (mirrorOf === null) return;
  const happened = `the topic with id ${topicId} is a mirror of ${mirrorOf}`;
  throw new TablogError(TOPIC_READ_ONLY, happened, { details: { topicId, mirrorOf } });
}

function sequenceOf(producer: ProducerStamp | null): Omit<Sequenced, 'recordCount'> {
  const { id, epoch, sequence } = producer ?? { id: -1, epoch: -1, sequence: -1 };
  return { producerId: id, producerEpoch: epoch, baseSequence: sequence };
}
