import type { SinkErrorKind } from '../sink/sink-error.ts';

/** The version of what a log and its mirror tell each other. */
export const MIRROR_PROTOCOL = 1;

/** A partition whose records a mirror gets. */
export interface MirroredPartition {
  /** The id of the topic: that of no other topic, of any log. */
  readonly topicId: string;
  /** The names of the log and the topic there. */
  readonly log: string;
  readonly topic: string;
  readonly partition: number;
  /** The number of the topic's partitions. */
  readonly partitions: number;
}

/** 'position': where the mirror ends. 'append': record batches, which are the message's payload. */
export interface MirrorRequest {
  readonly protocol: number;
  readonly id: number;
  readonly call: 'position' | 'append';
  readonly source: MirroredPartition;
  /** The end of the source when this was sent. */
  readonly sourceEnd: number;
  /** Of 'append': where the mirror ended when it was last heard of. */
  readonly end: number;
}

export interface MirrorAnswer {
  readonly protocol: number;
  /** The id of the request. */
  readonly to: number;
  /** The end of the mirror, or why it has stored nothing. */
  readonly end?: number;
  readonly error?: { readonly kind: SinkErrorKind; readonly message: string };
}

const LENGTH_BYTES = 4;

/** A message as bytes: the length of the JSON, the JSON, and the payload. */
export function pack(
  message: MirrorRequest | MirrorAnswer,
  payload: Uint8Array = new Uint8Array(),
): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(JSON.stringify(message));
  const bytes = new Uint8Array(LENGTH_BYTES + json.length + payload.length);
  new DataView(bytes.buffer).setUint32(0, json.length);
  bytes.set(json, LENGTH_BYTES);
  bytes.set(payload, LENGTH_BYTES + json.length);
  return bytes;
}

/** The parts of a message; `undefined` where the bytes are none. */
export function unpack(
  bytes: Uint8Array,
): { readonly message: object; readonly payload: Uint8Array } | undefined {
  if (bytes.length < LENGTH_BYTES) return undefined;
  const end = LENGTH_BYTES + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  try {
    const json = new TextDecoder('utf-8', { fatal: true }).decode(
      bytes.subarray(LENGTH_BYTES, end),
    );
    const message: unknown = JSON.parse(json);
    if (typeof message !== 'object' || message === null) return undefined;
    return { message, payload: bytes.subarray(end) };
  } catch {
    return undefined;
  }
}

/** The request that a message is, or what is wrong with it. */
export function requestOf(message: object): MirrorRequest | string {
  const { protocol, id, call, source, sourceEnd, end } = message as Partial<MirrorRequest>;
  if (protocol !== MIRROR_PROTOCOL) {
    return `it speaks the protocol ${String(protocol)}, and this side ${MIRROR_PROTOCOL}: update the older one`;
  }
  const { topicId, log, topic, partition, partitions } = (source ??
    {}) as Partial<MirroredPartition>;
  const isSound =
    isCount(id) &&
    (call === 'position' || call === 'append') &&
    [topicId, log, topic].every(
      (name) => typeof name === 'string' && /^[\w.-]{1,249}$/.test(name),
    ) &&
    isCount(partition) &&
    isCount(partitions) &&
    partition < partitions &&
    isCount(sourceEnd) &&
    isCount(end);
  return isSound ? (message as MirrorRequest) : 'it is no request of a mirrored log';
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
