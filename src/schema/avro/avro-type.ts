/** The types of Avro without names of their own and without parts. */
export type PrimitiveName =
  | 'null'
  | 'boolean'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'bytes'
  | 'string';

/** https://avro.apache.org/docs/1.12.0/specification/#logical-types */
export type LogicalType =
  | { readonly name: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly name: 'uuid' | 'date' | 'time-millis' | 'time-micros' | 'duration' }
  | { readonly name: 'timestamp-millis' | 'timestamp-micros' | 'timestamp-nanos' }
  | { readonly name: `local-timestamp-${'millis' | 'micros' | 'nanos'}` };

export interface PrimitiveType {
  readonly type: PrimitiveName;
  readonly logical?: LogicalType;
}

/** A type with a name, by which schemas refer to it, and by which a reader finds the writer's. */
interface NamedType {
  /** With its namespace: `shop.Order`. */
  readonly name: string;
  /** Further names, with their namespaces. */
  readonly aliases: readonly string[];
}

export interface RecordType extends NamedType {
  readonly type: 'record';
  readonly fields: readonly RecordField[];
}

export interface RecordField {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly type: AvroType;
  /** As JSON has it; `undefined`: there is none. */
  readonly default: unknown;
}

export interface EnumType extends NamedType {
  readonly type: 'enum';
  readonly symbols: readonly string[];
  /** The symbol that a reader takes for one that it does not know. */
  readonly default: string | undefined;
}

export interface FixedType extends NamedType {
  readonly type: 'fixed';
  /** In bytes. */
  readonly size: number;
  readonly logical?: LogicalType;
}

export interface ArrayType {
  readonly type: 'array';
  readonly items: AvroType;
}

export interface MapType {
  readonly type: 'map';
  readonly values: AvroType;
}

export interface UnionType {
  readonly type: 'union';
  readonly branches: readonly AvroType[];
}

/** A parsed schema. Records refer to themselves, where their schemas do. */
export type AvroType =
  | PrimitiveType
  | RecordType
  | EnumType
  | FixedType
  | ArrayType
  | MapType
  | UnionType;

/** The name that tells the branches of a union apart: of a named type its own, else that of the type. */
export function branchName(type: AvroType): string {
  return 'name' in type ? type.name : type.type;
}

/** The name without its namespace, which alone counts where a reader finds the writer's type. */
export function shortName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}
