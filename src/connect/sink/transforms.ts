import { checkArray, checkFunction, mistake } from '../../base/argument.ts';
import type { SinkRecord } from './sink.ts';

/** What a transform returns: the record to go on, several, or none. */
export type Transformed = SinkRecord | readonly SinkRecord[] | null | undefined;

/**
 * A step between the log and the target (Kafka Connect's single message transforms). Returns the
 * record to go on, several, or `undefined` for none, each with the `id` and `offset` of the given one. A
 * record for which a transform throws is one that is refused: see `onRefused`.
 */
export type Transform<K = unknown, V = unknown> = {
  // A method's parameter: a step may know more of its records than `connect()` does.
  transform(record: SinkRecord<K, V>): Transformed;
}['transform'];

/** Leaves out the records for which `isKept` returns `false` (Kafka's `Filter`). */
export function filterRecords<K = unknown, V = unknown>(
  isKept: (record: SinkRecord<K, V>) => boolean,
): Transform<K, V> {
  checkFunction('filterRecords() takes a function', isKept);
  return (record) => (isKept(record) ? record : undefined);
}

/** Replaces the value of each record that has one. */
export function mapValue<V = unknown, K = unknown>(
  map: (value: V, record: SinkRecord<K, V>) => unknown,
): Transform<K, V> {
  checkFunction('mapValue() takes a function', map);
  return (record) =>
    record.value === null ? record : { ...record, value: map(record.value, record) };
}

/**
 * Replaces fields of values that are objects (Kafka's `MaskField`). Default replacement: '', 0, false,
 * [] and {} by the kind of the value; null stays null.
 */
export function maskFields(names: readonly string[], replacement?: unknown): Transform {
  checkArray('maskFields() takes an array of names', names);
  return mapFields((name, value) =>
    names.includes(name)
      ? [name, replacement === undefined ? emptyOf(value) : replacement]
      : [name, value],
  );
}

/** Renames fields of values that are objects: from each key to its value (Kafka's `ReplaceField`). */
export function renameFields(renames: Readonly<Record<string, string>>): Transform {
  return mapFields((name, value) => [Object.hasOwn(renames, name) ? renames[name]! : name, value]);
}

/** Leaves fields of values that are objects out (Kafka's `ReplaceField`, `exclude`). */
export function dropFields(names: readonly string[]): Transform {
  checkArray('dropFields() takes an array of names', names);
  return mapFields((name, value) => (names.includes(name) ? undefined : [name, value]));
}

/** Gives each record another `topic`, for the target (Kafka's `RegexRouter`). */
export function route<K = unknown, V = unknown>(
  topicOf: (record: SinkRecord<K, V>) => string,
): Transform<K, V> {
  checkFunction('route() takes a function', topicOf);
  return (record) => ({ ...record, topic: topicOf(record) });
}

/**
 * Routes by the record's time, in UTC (Kafka's `TimestampRouter`): `${topic}` and `${timestamp}` in
 * `format` stand for the record's topic, and for its day as 20261130.
 */
export function timestampRouter(format: string = '${topic}-${timestamp}'): Transform {
  return route(({ topic, timestamp }) => {
    const day = new Date(timestamp).toISOString().slice(0, 10).replaceAll('-', '');
    return format.replaceAll('${topic}', topic).replaceAll('${timestamp}', day);
  });
}

/** All steps as one. */
export function chain(transforms: readonly Transform[]): (record: SinkRecord) => SinkRecord[] {
  return (record) =>
    transforms.reduce<SinkRecord[]>(
      (records, transform) => records.flatMap((each) => asArray(transform(each), record)),
      [record],
    );
}

function asArray(transformed: Transformed, { id, offset }: SinkRecord): readonly SinkRecord[] {
  if (transformed === null || transformed === undefined) return [];
  const records = Array.isArray(transformed)
    ? (transformed as readonly SinkRecord[])
    : [transformed as SinkRecord];
  for (const record of records) {
    if (record?.id === id && record.offset === offset) continue;
    const rule = 'a transform returns records with the id and offset of the given one, at once';
    throw mistake(rule, record);
  }
  return records;
}

type MapField = (name: string, value: unknown) => readonly [string, unknown] | undefined;

function mapFields(map: MapField): Transform {
  return mapValue((value: unknown) => {
    if (typeof value !== 'object' || value === null || !isPlain(value)) return value;
    return Object.fromEntries(
      Object.entries(value).flatMap(([name, field]) => {
        const mapped = map(name, field);
        return mapped === undefined ? [] : [mapped];
      }),
    );
  });
}

function emptyOf(value: unknown): unknown {
  if (typeof value === 'string') return '';
  if (typeof value === 'number') return 0;
  if (typeof value === 'boolean') return false;
  if (Array.isArray(value)) return [];
  return value === null || value === undefined ? value : {};
}

/** Whether it is an object of fields, and no array, date or bytes. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
