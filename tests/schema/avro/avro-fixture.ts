import { AvroReader, AvroWriter } from '../../../src/schema/avro/avro-bytes.ts';
import { DecoderFactory } from '../../../src/schema/avro/avro-decoder.ts';
import type { DecoderOptions } from '../../../src/schema/avro/avro-decoder.ts';
import { EncoderFactory } from '../../../src/schema/avro/avro-encoder.ts';
import { parseAvro } from '../../../src/schema/avro/parse-avro.ts';

export function encode(schema: unknown, value: unknown): Uint8Array {
  const out = new AvroWriter();
  new EncoderFactory().encoderOf(parseAvro(schema))(value, out);
  return out.take();
}

/** Reads what was written by `writer` as `reader` has it; all bytes, or throws. */
export function decode(
  writer: unknown,
  bytes: Uint8Array,
  reader: unknown = writer,
  options?: DecoderOptions,
): unknown {
  const from = new AvroReader(bytes);
  const value = new DecoderFactory(options).decoderOf(parseAvro(writer), parseAvro(reader))(from);
  if (from.left > 0) throw new Error(`${from.left} bytes are left`);
  return value;
}

export function field(name: string, type: unknown, more: object = {}): object {
  return { name, type, ...more };
}

export function record(name: string, ...fields: readonly object[]): object {
  return { type: 'record', name, fields };
}
