import { openBroadcast } from '../platform/broadcast.ts';
import { PROTOCOL_VERSION } from './broker.ts';

/**
 * News between the tabs and workers of one log. A hint that is lost, late, repeated or forged
 * changes latency and nothing else: whoever hears one looks into the store.
 */
export type Hint =
  | { readonly kind: 'appended'; readonly partitions: readonly AppendedHint[] }
  | { readonly kind: 'topics' }
  /** The log was deleted, or may have been: a tab that waits for nothing has to ask. */
  | { readonly kind: 'deleted' }
  | TrimmedHint
  | GroupHint;

/**
 * 'group': it has changed. 'probe': whose members answer? 'alive': this one does.
 */
export type GroupHint =
  | { readonly kind: 'group' | 'probe'; readonly groupId: string }
  | { readonly kind: 'alive'; readonly groupId: string; readonly memberId: string };

/** Records at the start of a partition are gone. */
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

/** More in one message is nobody's hint. */
const MAX_PARTITIONS_A_HINT = 10_000;

export interface HintChannel {
  post(hint: Hint): void;
  close(): void;
}

/**
 * Joins the log's channel; in a context without BroadcastChannel, a channel of its own. `onData`
 * gets whatever was posted: check with `isHint`.
 */
export function openHintChannel(log: string, onData: (data: unknown) => void): HintChannel {
  const channel = openBroadcast(`tablog/${PROTOCOL_VERSION}/${log}`);
  channel?.listen(({ data }) => onData(data));
  return { post: (hint) => channel?.post(hint), close: () => channel?.close() };
}

/** Any script of the origin can post here, so nothing is believed without a look. */
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
