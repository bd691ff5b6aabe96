import { parseAvro } from './parse-avro.ts';
import type { AvroType } from './avro-type.ts';

/**
 * The parsing canonical form of a schema: equal for schemas that read the same, whatever their order of
 * attributes, whitespace, docs, defaults and aliases.
 *
 * https://avro.apache.org/docs/1.12.0/specification/#parsing-canonical-form-for-schemas
 */
export function canonicalForm(schema: unknown): string {
  return formOf(parseAvro(schema), new Set());
}

/** `defined`: the names of types that the form has so far, which it has by name from then on. */
function formOf(type: AvroType, defined: Set<string>): string {
  if ('name' in type) {
    if (defined.has(type.name)) return JSON.stringify(type.name);
    defined.add(type.name);
  }
  switch (type.type) {
    case 'union':
      return `[${type.branches.map((branch) => formOf(branch, defined)).join(',')}]`;
    case 'record': {
      const fields = type.fields.map(
        (field) => `{"name":"${field.name}","type":${formOf(field.type, defined)}}`,
      );
      return `{"name":"${type.name}","type":"record","fields":[${fields.join(',')}]}`;
    }
    case 'enum':
      return `{"name":"${type.name}","type":"enum","symbols":${JSON.stringify(type.symbols)}}`;
    case 'fixed':
      return `{"name":"${type.name}","type":"fixed","size":${type.size}}`;
    case 'array':
      return `{"type":"array","items":${formOf(type.items, defined)}}`;
    case 'map':
      return `{"type":"map","values":${formOf(type.values, defined)}}`;
    default:
      return `"${type.type}"`;
  }
}

/** https://avro.apache.org/docs/1.12.0/specification/#schema-fingerprints */
const EMPTY = 0xc15d213aa4d7a795n;
let table: readonly bigint[] | undefined;

/** The 64-bit Rabin fingerprint of a schema's canonical form (CRC-64-AVRO). */
export function fingerprint(schema: unknown): bigint {
  table ??= Array.from({ length: 256 }, (_, i) => printOf(BigInt(i)));
  let print = EMPTY;
  for (const byte of new TextEncoder().encode(canonicalForm(schema))) {
    print = (print >> 8n) ^ table[Number((print ^ BigInt(byte)) & 0xffn)]!;
  }
  return print;
}

function printOf(byte: bigint): bigint {
  let print = byte;
  for (let bit = 0; bit < 8; bit++) print = (print >> 1n) ^ ((print & 1n) === 1n ? EMPTY : 0n);
  return print;
}
