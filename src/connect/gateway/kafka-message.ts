import type { ReceivedRecord } from '../http/receiver.ts';
import type { KafkaMessage } from './kafka-client.ts';

/**
 * The message of a record: bytes as they were, text as UTF-8, and other values as JSON. The header
 * `tablog-id` has the record's id.
 */
export function messageOf(record: ReceivedRecord): KafkaMessage {
  const headers = new Map<string, (Uint8Array | string)[]>([['tablog-id', [record.id]]]);
  for (const [name, value] of record.headers) {
    // KafkaJS has no headers of null.
    headers.set(name, [...(headers.get(name) ?? []), fieldOf(value) ?? '']);
  }
  return {
    key: fieldOf(record.key),
    value: fieldOf(record.value),
    timestamp: String(record.timestamp),
    headers: Object.fromEntries(headers),
  };
}

function fieldOf(value: unknown): Uint8Array | string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  const { base64, ...others } = value as { readonly base64?: unknown };
  const isBytes = typeof base64 === 'string' && Object.keys(others).length === 0;
  return isBytes ? fromBase64(base64) : JSON.stringify(value);
}

/** Kafka's clients for Node take bytes as Node's `Buffer` alone. */
function fromBase64(text: string): Uint8Array {
  const { Buffer } = globalThis as unknown as {
    readonly Buffer: { from(text: string, encoding: 'base64'): Uint8Array };
  };
  return Buffer.from(text, 'base64');
}
