import { show } from '../../base/show.ts';
import type { AvroType, LogicalType, PrimitiveName, RecordField } from './avro-type.ts';
import { branchName } from './avro-type.ts';
import { checkDefault } from './avro-default.ts';

const PRIMITIVES: ReadonlySet<string> = new Set<PrimitiveName>([
  'null',
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'bytes',
  'string',
]);
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const FULL_NAME = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/;
/** How deep a schema may be nested; each type is parsed within the one that has it. */
const MAX_DEPTH = 500;

/** A JSON object of a schema. */
type Json = Readonly<Record<string, unknown>>;

/** A schema of Avro that breaks a rule of the specification, at a place in it. */
class AvroSchemaError extends TypeError {
  override readonly name = 'AvroSchemaError';

  constructor(path: string, rule: string) {
    super(`the Avro schema is wrong at ${path}: ${rule}`);
  }
}

/**
 * Parses a schema of Avro: its JSON as text, or as a value. `known`: named types that the schema refers to,
 * by their full names; the schema's own are added. Throws an `AvroSchemaError`.
 *
 * https://avro.apache.org/docs/1.12.0/specification/#schema-declaration
 */
export function parseAvro(schema: unknown, known: Map<string, AvroType> = new Map()): AvroType {
  return new Parser(known).parse(jsonOf(schema), '$', '', 0);
}

/** A text that is no JSON can be the name of a type. */
function jsonOf(schema: unknown): unknown {
  if (typeof schema !== 'string' || FULL_NAME.test(schema)) return schema;
  try {
    return JSON.parse(schema) as unknown;
  } catch (error) {
    throw new AvroSchemaError('$', `it is no JSON: ${(error as Error).message}`);
  }
}

class Parser {
  readonly #known: Map<string, AvroType>;

  constructor(known: Map<string, AvroType>) {
    this.#known = known;
  }

  /** `namespace`: of the type around, which names without one have, too. */
  parse(schema: unknown, path: string, namespace: string, depth: number): AvroType {
    if (depth > MAX_DEPTH) {
      throw new AvroSchemaError(path, `it is nested more than ${MAX_DEPTH} types deep`);
    }
    if (typeof schema === 'string') return this.#named(schema, path, namespace);
    if (Array.isArray(schema)) return this.#union(schema, path, namespace, depth);
    if (typeof schema !== 'object' || schema === null) {
      throw new AvroSchemaError(
        path,
        `a type is a name, an object or an array, got ${show(schema)}`,
      );
    }
    const given = schema as Json;
    const { type } = given;
    switch (type) {
      case 'record':
      case 'error':
        return this.#record(given, path, namespace, depth);
      case 'enum':
        return this.#enum(given, path, namespace);
      case 'fixed':
        return this.#fixed(given, path, namespace);
      case 'array':
        return {
          type,
          items: this.parse(given['items'], `${path}.items`, namespace, depth + 1),
        };
      case 'map':
        return {
          type,
          values: this.parse(given['values'], `${path}.values`, namespace, depth + 1),
        };
      default:
        if (typeof type === 'string' && PRIMITIVES.has(type)) {
          return withLogical({ type: type as PrimitiveName }, given);
        }
        return this.parse(type, `${path}.type`, namespace, depth + 1);
    }
  }

  #named(name: string, path: string, namespace: string): AvroType {
    if (PRIMITIVES.has(name)) return { type: name as PrimitiveName };
    const full = name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
    const type = this.#known.get(full) ?? this.#known.get(name);
    if (type !== undefined) return type;
    throw new AvroSchemaError(path, `there is no type ${show(name)}`);
  }

  #union(schemas: readonly unknown[], path: string, namespace: string, depth: number): AvroType {
    const names = new Set<string>();
    const branches = schemas.map((schema, i) => {
      const at = `${path}[${i}]`;
      const branch = this.parse(schema, at, namespace, depth + 1);
      if (branch.type === 'union') throw new AvroSchemaError(at, 'a union has no union in it');
      const name = branchName(branch);
      if (names.has(name)) throw new AvroSchemaError(at, `the union has ${name} already`);
      names.add(name);
      return branch;
    });
    return { type: 'union', branches };
  }

  #record(given: Json, path: string, around: string, depth: number): AvroType {
    const { name, aliases, namespace } = namesOf(given, path, around);
    const fields: RecordField[] = [];
    const record: AvroType = { type: 'record', name, aliases, fields };
    this.#define(name, record, path);
    if (!Array.isArray(given['fields'])) {
      throw new AvroSchemaError(path, 'a record has fields, an array');
    }
    const taken = new Set<string>();
    for (const [i, each] of (given['fields'] as unknown[]).entries()) {
      const at = `${path}.fields[${i}]`;
      const field = (each ?? {}) as Json;
      const own = field['name'];
      if (typeof own !== 'string' || !NAME.test(own)) {
        throw new AvroSchemaError(at, `a field's name is of A-Z a-z 0-9 _, got ${show(own)}`);
      }
      if (taken.has(own)) throw new AvroSchemaError(at, `the record has the field ${show(own)}`);
      taken.add(own);
      const type = this.parse(field['type'], `${at}.type`, namespace, depth + 1);
      fields.push({
        name: own,
        aliases: textsOf(field['aliases'], `${at}.aliases`),
        type,
        default: field['default'],
      });
    }
    // A default can be a record that contains itself, which was not parsed before.
    for (const [i, field] of fields.entries()) {
      if (field.default === undefined) continue;
      const wrong = checkDefault(field.type, field.default);
      if (wrong !== undefined) {
        throw new AvroSchemaError(`${path}.fields[${i}].default`, `it does not fit: ${wrong}`);
      }
    }
    return record;
  }

  #enum(given: Json, path: string, around: string): AvroType {
    const { name, aliases } = namesOf(given, path, around);
    const symbols = textsOf(given['symbols'], `${path}.symbols`);
    if (symbols.length === 0) throw new AvroSchemaError(path, 'an enum has symbols');
    if (new Set(symbols).size < symbols.length) {
      throw new AvroSchemaError(`${path}.symbols`, 'a symbol is there twice');
    }
    const wrong = symbols.find((symbol) => !NAME.test(symbol));
    if (wrong !== undefined) {
      throw new AvroSchemaError(`${path}.symbols`, `${show(wrong)} is no symbol`);
    }
    const fallback = given['default'];
    if (fallback !== undefined && !symbols.includes(fallback as string)) {
      throw new AvroSchemaError(`${path}.default`, `${show(fallback)} is none of the symbols`);
    }
    const type = { type: 'enum', name, aliases, symbols, default: fallback as string } as const;
    this.#define(name, type, path);
    return type;
  }

  #fixed(given: Json, path: string, around: string): AvroType {
    const { name, aliases } = namesOf(given, path, around);
    const { size } = given;
    if (!Number.isSafeInteger(size) || (size as number) < 0) {
      throw new AvroSchemaError(`${path}.size`, `a size is a number of bytes, got ${show(size)}`);
    }
    const type = withLogical({ type: 'fixed', name, aliases, size: size as number }, given);
    this.#define(name, type, path);
    return type;
  }

  #define(name: string, type: AvroType, path: string): void {
    if (this.#known.has(name)) throw new AvroSchemaError(path, `${name} is defined twice`);
    this.#known.set(name, type);
  }
}

/** https://avro.apache.org/docs/1.12.0/specification/#names */
function namesOf(
  given: Json,
  path: string,
  around: string,
): { readonly name: string; readonly aliases: string[]; readonly namespace: string } {
  const { name, namespace } = given;
  if (typeof name !== 'string' || !FULL_NAME.test(name)) {
    throw new AvroSchemaError(path, `a name is of A-Z a-z 0-9 _ and dots, got ${show(name)}`);
  }
  if (PRIMITIVES.has(name)) throw new AvroSchemaError(path, `${name} is the name of a primitive`);
  if (namespace !== undefined && typeof namespace !== 'string') {
    throw new AvroSchemaError(`${path}.namespace`, `a namespace is a text, got ${show(namespace)}`);
  }
  const own = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : (namespace ?? around);
  const withOwn = (each: string): string =>
    each.includes('.') || own === '' ? each : `${own}.${each}`;
  const aliases = textsOf(given['aliases'], `${path}.aliases`).map(withOwn);
  return { name: withOwn(name), aliases, namespace: own };
}

function textsOf(given: unknown, path: string): string[] {
  if (given === undefined) return [];
  if (Array.isArray(given) && given.every((each) => typeof each === 'string')) return given;
  throw new AvroSchemaError(path, `it is an array of texts, got ${show(given)}`);
}

/** The type with its logical type; one that is unknown, or does not fit, is none (specification). */
function withLogical<T extends { readonly type: PrimitiveName | 'fixed' }>(
  type: T,
  given: Json,
): T {
  const logical = logicalOf(type, given);
  return logical === undefined ? type : { ...type, logical };
}

function logicalOf(
  type: { readonly type: PrimitiveName | 'fixed'; readonly size?: number },
  given: Json,
): LogicalType | undefined {
  const name = given['logicalType'];
  switch (name) {
    case 'decimal': {
      const { precision, scale = 0 } = given;
      const isBytes = type.type === 'bytes' || type.type === 'fixed';
      const isWhole = Number.isInteger(precision) && Number.isInteger(scale);
      const [digits, behind] = [precision as number, scale as number];
      if (!isBytes || !isWhole || digits < 1 || behind < 0 || behind > digits) return undefined;
      return { name, precision: digits, scale: behind };
    }
    case 'uuid':
      return type.type === 'string' || (type.type === 'fixed' && type.size === 16)
        ? { name }
        : undefined;
    case 'date':
    case 'time-millis':
      return type.type === 'int' ? { name } : undefined;
    case 'duration':
      return type.type === 'fixed' && type.size === 12 ? { name } : undefined;
    case 'time-micros':
    case 'timestamp-millis':
    case 'timestamp-micros':
    case 'timestamp-nanos':
    case 'local-timestamp-millis':
    case 'local-timestamp-micros':
    case 'local-timestamp-nanos':
      return type.type === 'long' ? { name } : undefined;
    default:
      return undefined;
  }
}
