import { shortName } from './avro-type.ts';
import type { AvroType, RecordField, RecordType, UnionType } from './avro-type.ts';
import { nameOf } from './avro-value.ts';

// What of a writer's schema is what of a reader's:
// https://avro.apache.org/docs/1.12.0/specification/#schema-resolution

/** The types that a reader has for what a writer has written as another one. */
const PROMOTIONS: Readonly<Record<string, readonly string[]>> = {
  int: ['long', 'float', 'double'],
  long: ['float', 'double'],
  float: ['double'],
  string: ['bytes'],
  bytes: ['string'],
};

/** Whether a value of no parts is read as the reader's type: it is the same, or a promotion. */
export function isPromoted(writer: AvroType, reader: AvroType): boolean {
  if (writer.type === 'fixed' && reader.type === 'fixed') {
    return matchError(writer, reader) === undefined;
  }
  if (writer.type !== reader.type) return PROMOTIONS[writer.type]?.includes(reader.type) === true;
  return !['record', 'enum', 'array', 'map', 'union'].includes(writer.type);
}

/**
 * Why two types, of which neither is a union, are not the same, regardless of what is in them; `undefined`:
 * they are. Names match without their namespaces, or by an alias of the reader.
 */
export function matchError(writer: AvroType, reader: AvroType): string | undefined {
  const isOther = writer.type !== reader.type && !isPromoted(writer, reader);
  if (isOther || reader.type === 'union') {
    return `${nameOf(writer)} was written, and ${nameOf(reader)} is read`;
  }
  if (!('name' in writer) || !('name' in reader)) return undefined;
  const isNamed =
    shortName(writer.name) === shortName(reader.name) || reader.aliases.includes(writer.name);
  if (!isNamed) return `${writer.name} was written, and ${reader.name} is read`;
  if (writer.type !== 'fixed' || reader.type !== 'fixed' || writer.size === reader.size) {
    return undefined;
  }
  return `${writer.size} bytes of ${writer.name} were written, and ${reader.size} are read`;
}

/** The field of the writer that a field of the reader is: of its name, or of an alias. */
export function findField(writer: RecordType, field: RecordField): RecordField | undefined {
  const same = writer.fields.find(({ name }) => name === field.name);
  return same ?? writer.fields.find(({ name }) => field.aliases.includes(name));
}

/**
 * The branch of a reader's union for what was written: the first of the same type and full name, then of
 * the same short name or by an alias, then by promotion.
 */
export function findBranch(reader: UnionType, writer: AvroType): AvroType | undefined {
  const { branches } = reader;
  const isSame = (branch: AvroType): boolean =>
    branch.type === writer.type &&
    (!('name' in branch) || !('name' in writer) || branch.name === writer.name);
  return (
    branches.find((branch) => isSame(branch) && matchError(writer, branch) === undefined) ??
    branches.find(
      (branch) => branch.type === writer.type && matchError(writer, branch) === undefined,
    ) ??
    branches.find((branch) => isPromoted(writer, branch))
  );
}
