import { abortable } from '../../base/abortable.ts';
import { checkOneOf } from '../../base/argument.ts';
import type { Connection } from '../connection/connection.ts';
import { DECODE_ERROR_ACTIONS, checkDeadLetter } from './on-decode-error.ts';
import type { DecodeErrorAction, OnDecodeError } from './on-decode-error.ts';
import { sendDeadLetter } from './dead-letter.ts';
import type { Undecodable } from '../message/decode-record.ts';
import type { PartitionReader } from '../fetch/partition-reader.ts';
import { RawRecord } from '../message/raw-record.ts';
import { asTopic } from '../topics/topic.ts';
import type { TopicLike } from '../topics/topic.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';

// The lazy module for records that cannot be decoded, or not yet.
export { awaitSerde } from './serde-waits.ts';

/** A consumer's policy for undecodable records, and the parts that carry it out. */
export interface DecodeErrorPolicy {
  readonly connection: Connection;
  readonly topicMetadata: TopicMetadata;
  readonly onDecodeError: OnDecodeError;
  readonly deadLetterTopic: TopicLike | undefined;
}

/** An undecodable record that a loop has polled and put back. */
export interface PolledUndecodable {
  readonly reader: PartitionReader;
  readonly undecodable: Undecodable;
  /** The reader's `seekVersion` at the poll. */
  readonly seekVersion: number;
  /** Aborts when the consumer closes. */
  readonly closing: AbortSignal;
}

/**
 * The action that `onDecodeError` chooses. Throws the error that the function throws, and a
 * `TypeError` where it returns no action.
 */
export async function decodeErrorAction(
  { onDecodeError, deadLetterTopic }: Pick<DecodeErrorPolicy, 'onDecodeError' | 'deadLetterTopic'>,
  { error, message }: Undecodable,
): Promise<DecodeErrorAction> {
  const action =
    typeof onDecodeError === 'function' ? await onDecodeError(error, message) : onDecodeError;
  checkOneOf('what onDecodeError returns', action, DECODE_ERROR_ACTIONS);
  if (action === 'deadLetter') checkDeadLetter({ deadLetterTopic });
  return action;
}

/**
 * Settles the record. Resolves early when the consumer closes, because `onDecodeError` may never
 * settle.
 */
export async function settleUnlessClosed(
  polled: PolledUndecodable,
  policy: DecodeErrorPolicy,
): Promise<void> {
  const { closing } = polled;
  try {
    await abortable(closing, settle(polled, policy));
  } catch (error) {
    if (!closing.aborted) throw error;
  }
}

/**
 * Carries out the action of the policy, and moves past the record. After an error the record stays
 * the next one.
 */
async function settle(
  { reader, undecodable, seekVersion, closing }: PolledUndecodable,
  policy: DecodeErrorPolicy,
): Promise<void> {
  const { progress } = reader;
  const { offset } = undecodable;
  const isOver = (): boolean => !reader.state.isCurrent(seekVersion) || closing.aborted;
  const action = await decodeErrorAction(policy, undecodable);
  if (isOver()) return; // another member has the partition, or a seek moved the reader
  if (action === 'fail') throw undecodable.error;
  if (!reader.pass(offset)) return;
  const delivery = progress?.deliver(offset, offset + 1);
  let isDone = true;
  try {
    if (action === 'deadLetter') {
      const topic = asTopic(policy.deadLetterTopic!);
      const delivered = { reader, delivery, records: [new RawRecord(reader.cursor!)] };
      isDone = await sendDeadLetter({ ...policy, topic, isOver }, delivered, undecodable.error, 1);
    }
  } catch (error) {
    progress?.drop(delivery!);
    if (!isOver()) reader.seek(offset);
    throw error;
  }
  if (isDone) progress?.finish(delivery!);
  else progress?.drop(delivery!);
}
