import { openBroadcast } from '../platform/broadcast.ts';
import type { OpenChannel } from '../platform/broadcast.ts';
import { PROTOCOL_VERSION } from './broker.ts';

/**
 * A message between the tabs and workers of one log. A hint that is lost, late, repeated or forged
 * changes latency and nothing else, because its receiver reads the store before it acts.
 */
export type Hint =
  | { readonly kind: 'appended'; readonly partitions: readonly AppendedHint[] }
  | { readonly kind: 'topics' }
  /** The log may have been deleted: a tab without an open call has to ask its broker. */
  | { readonly kind: 'deleted' }
  | TrimmedHint
  | GroupHint;

/**
 * 'group': the group has changed. 'probe': the group's members have to answer. 'alive': the answer
 * of one member.
 */
export type GroupHint =
  | { readonly kind: 'group' | 'probe'; readonly groupId: string }
  | { readonly kind: 'alive'; readonly groupId: string; readonly memberId: string };

/** The log start offset of a partition has moved, so earlier records are deleted. */
export interface TrimmedHint {
  readonly kind: 'trimmed';
  readonly topicId: string;
  readonly partition: number;
}

export interface AppendedHint {
  readonly topicId: string;
  readonly partition: number;
  readonly endOffset: number;
}

/** The bound of one message; a longer list was forged. */
const MAX_PARTITIONS_A_HINT = 10_000;

export interface HintChannel {
  post(hint: Hint): void;
  close(): void;
}

/**
 * Joins the log's channel. Without BroadcastChannel nothing is posted or heard. `onData` gets every
 * message, also forged ones: check it with `isHint`.
 */
export function openHintChannel(
  log: string,
  onData: (data: unknown) => void,
  open?: OpenChannel,
): HintChannel {
  const channel = openBroadcast(`tablog/${PROTOCOL_VERSION}/${log}`, open);
  channel?.listen(({ data }) => onData(data));
  return { post: (hint) => channel?.post(hint), close: () => channel?.close() };
}

/** Any script of the origin can post to the channel, so each message is checked. */
export function isHint(data: unknown): data is Hint {
  if (typeof data !== 'object' || data === null) return false;
  const { kind, partitions, groupId, memberId, topicId, partition } = data as Readonly<
    Record<string, unknown>
  >;
  if (kind === 'topics' || kind === 'deleted') return true;
  if (kind === 'trimmed') return typeof topicId === 'string' && Number.isSafeInteger(partition);
  if (kind === 'group' || kind === 'probe') return typeof groupId === 'string';
  if (kind === 'alive') return typeof groupId === 'string' && typeof memberId === 'string';
  return (
    kind === 'appended' &&
    Array.isArray(partitions) &&
    partitions.length <= MAX_PARTITIONS_A_HINT &&
    partitions.every(isAppendedHint)
  );
}

function isAppendedHint(data: unknown): data is AppendedHint {
  if (typeof data !== 'object' || data === null) return false;
  const { topicId, partition, endOffset } = data as { [K in keyof AppendedHint]?: unknown };
  return (
    typeof topicId === 'string' &&
    Number.isSafeInteger(partition) &&
    Number.isSafeInteger(endOffset)
  );
}
