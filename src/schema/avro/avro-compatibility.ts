import { findBranch, findField, matchError } from './avro-match.ts';
import type { AvroType, EnumType, RecordType } from './avro-type.ts';

/** One reason why a reader cannot read what a writer has written. */
export interface Incompatibility {
  /** Where in the reader's schema: `.customer.emails[]`; empty: the whole. */
  readonly path: string;
  readonly message: string;
}

/**
 * All reasons why a reader with one schema cannot read every value that was written with the other. None:
 * the reader resolves each of them. The rules, and what is asked of the branches of unions, are those
 * of Java's `SchemaCompatibility`.
 *
 * https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
 */
export function incompatibilities(reader: AvroType, writer: AvroType): readonly Incompatibility[] {
  const found: Incompatibility[] = [];
  new Comparison(found).compare(reader, writer, '');
  return found;
}

class Comparison {
  readonly #found: Incompatibility[];
  /** The pairs that are compared, or were: a record can contain itself. */
  readonly #seen = new Map<AvroType, Set<AvroType>>();

  constructor(found: Incompatibility[]) {
    this.#found = found;
  }

  compare(reader: AvroType, writer: AvroType, path: string): void {
    if (reader.type === 'record' || reader.type === 'union') {
      const seen = this.#seen.get(reader) ?? new Set();
      if (seen.has(writer)) return;
      this.#seen.set(reader, seen.add(writer));
    }
    if (writer.type === 'union') {
      for (const branch of writer.branches) this.compare(reader, branch, path);
      return;
    }
    if (reader.type === 'union') {
      const branch = findBranch(reader, writer);
      if (branch === undefined) return this.#tell(path, matchError(writer, reader)!);
      return this.compare(branch, writer, path);
    }
    const wrong = matchError(writer, reader);
    if (wrong !== undefined) return this.#tell(path, wrong);
    if (reader.type === 'record') return this.#fields(reader, writer as RecordType, path);
    if (reader.type === 'enum') return this.#symbols(reader, writer as EnumType, path);
    if (reader.type === 'array' && writer.type === 'array') {
      return this.compare(reader.items, writer.items, `${path}[]`);
    }
    if (reader.type === 'map' && writer.type === 'map') {
      return this.compare(reader.values, writer.values, `${path}{}`);
    }
  }

  #fields(reader: RecordType, writer: RecordType, path: string): void {
    for (const field of reader.fields) {
      const at = `${path}.${field.name}`;
      const written = findField(writer, field);
      if (written !== undefined) this.compare(field.type, written.type, at);
      else if (field.default === undefined) {
        this.#tell(at, `the field was not written, and has no default`);
      }
    }
  }

  #symbols(reader: EnumType, writer: EnumType, path: string): void {
    if (reader.default !== undefined) return;
    const missing = writer.symbols.filter((symbol) => !reader.symbols.includes(symbol));
    if (missing.length === 0) return;
    this.#tell(path, `${missing.join(', ')} can have been written, and there is no default`);
  }

  #tell(path: string, message: string): void {
    this.#found.push({ path, message });
  }
}
