import type { Header } from '../../record/record-cursor.ts';
import { SinkError } from '../sink/sink-error.ts';
import type { SinkBatch, SinkRecord } from '../sink/sink.ts';

/** Bytes as JSON: text, where they are UTF-8, and else base64. */
export type JsonBytes = string | { readonly base64: string } | null;

/** A record as a sink posts it. */
export interface JsonRecord {
  readonly id: string;
  readonly topic: string;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: unknown;
  readonly value: unknown;
  readonly headers: readonly (readonly [name: string, value: JsonBytes])[];
}

/** The record as JSON; keys and values that are bytes are text or base64. */
export function toJson({ headers, key, value, ...record }: SinkRecord): JsonRecord {
  return {
    ...record,
    key: jsonOf(key),
    value: jsonOf(value),
    headers: headers.map(([name, bytes]: Header) => [
      name,
      bytes === null ? null : bytesAsJson(bytes),
    ]),
  };
}

function jsonOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return bytesAsJson(value);
  return typeof value === 'bigint' ? String(value) : value;
}

function bytesAsJson(bytes: Uint8Array): JsonBytes {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { base64: toBase64(bytes) };
  }
}

export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/**
 * The JSON text of what is made of the record at `offset`. Throws a `SinkError` 'refused' for a value that
 * is no JSON: no target can take it.
 */
export function jsonText(json: unknown, offset: number): string {
  try {
    return JSON.stringify(json);
  } catch (cause) {
    throw new SinkError('refused', `it is no JSON: ${(cause as Error).message}`, { offset, cause });
  }
}

export interface PartLimits {
  /** The most bytes of the texts, with a separator of one byte after each. */
  readonly maxBytes: number;
  /** Default: any number of records. */
  readonly maxRecords?: number;
}

/**
 * The bytes of JSON in UTF-8, which has surrogates in pairs alone. In Chromium TextEncoder takes some 20
 * times as long for texts of 180 bytes.
 */
function bytesOf(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit & 0xf800) === 0xd800 ? 2 : 3;
  }
  return bytes;
}

/**
 * The first records of a batch within the limits, at least one, and their texts. Records of one
 * offset stay together, beyond the limits if need be: the position moves by whole offsets.
 */
export function partOf(
  batch: SinkBatch,
  { maxBytes, maxRecords = Infinity }: PartLimits,
  textOf: (record: SinkRecord) => string,
): readonly [SinkBatch, readonly string[]] {
  const { records } = batch;
  const texts: string[] = [];
  let bytes = 0;
  for (const record of records) {
    const text = textOf(record);
    bytes += bytesOf(text) + 1;
    const isFull = texts.length > 0 && (bytes > maxBytes || texts.length >= maxRecords);
    if (isFull && record.offset !== records[texts.length - 1]!.offset) break;
    texts.push(text);
  }
  const to = records[texts.length]?.offset ?? batch.to;
  return [{ ...batch, records: records.slice(0, texts.length), to }, texts];
}

/** Compresses a body by what the platform has; `undefined` where it has nothing. */
export async function gzipped(
  body: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (typeof CompressionStream === 'undefined') return undefined;
  const stream = new Blob([body]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
