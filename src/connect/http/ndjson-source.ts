import { checkEach, checkFunction, mistake } from '../../base/argument.ts';
import { show } from '../../base/show.ts';
import { SinkError } from '../sink/sink-error.ts';
import type { Source, SourceBatch, SourceContext, SourceRecord } from '../source.ts';
import { Lines, STREAM_CHECKS, checkWaiting, recordOf, textsOf } from './text-stream.ts';
import type { StreamOptions } from './text-stream.ts';

/** The position behind a line; nothing: the line is stored with the next one that has one. */
export type Cursor = string | number | null | undefined;

export interface NdjsonSourceOptions extends StreamOptions {
  /**
   * A URL, which gets the cursor of the last line as its query parameter `after`, or a function of that cursor,
   * which is `undefined` at first.
   */
  readonly url: string | URL | ((cursor: string | undefined) => string | URL);
  /** The record of a line; null: the line is left out. Default: the line as the value. */
  readonly toRecord?: (line: unknown) => SourceRecord | null;
  /** The field of a line, or a function of it, that has its cursor; no two lines have the same. Default 'id'. */
  readonly cursorOf?: string | ((line: unknown) => Cursor);
}

/**
 * A source of lines of JSON (https://jsonlines.org), in one long answer, or in answers that end. The position
 * is the cursor of the last line. A line counts once it has ended with a newline: what a connection that is
 * lost has cut comes again. Lines that have come together are stored together.
 *
 * Throws a `TypeError` for a bad option.
 */
export function ndjsonSource(options: NdjsonSourceOptions): Source {
  const checked = checkEach<NdjsonSourceOptions>('ndjsonSource()', options, {
    ...STREAM_CHECKS,
    url: (name, url) => {
      if (typeof url === 'string' || url instanceof URL || typeof url === 'function') return;
      throw mistake(`${name} must be a URL, or a function`, url);
    },
    toRecord: (_, value) => checkFunction('toRecord must be a function', value),
    cursorOf: (name, value) => {
      if ((typeof value === 'string' && value !== '') || typeof value === 'function') return;
      throw mistake(`${name} must be the name of a field, or a function`, value);
    },
  });
  if (checked.url === undefined) throw new TypeError('ndjsonSource() needs url');
  return { read: (position, context) => read(checked, position, context) };
}

const TYPES = [
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
  'application/stream+json',
  'application/json',
  'text/plain',
];

async function* read(
  { url, toRecord = (value) => ({ value }), cursorOf = 'id', ...stream }: NdjsonSourceOptions,
  position: string | undefined,
  context: SourceContext,
): AsyncGenerator<SourceBatch> {
  const from = typeof url === 'function' ? url(position) : withCursor(url, position);
  const lines = new Lines(/\r?\n/);
  let records: SourceRecord[] = [];
  let at = position;
  for await (const text of textsOf(from, TYPES, stream, {}, context)) {
    for (const line of lines.push(text)) {
      if (line.trim() === '') continue; // a sign of life
      const parsed = parse(line);
      const record = recordOf(toRecord, parsed, `the line ${line.slice(0, 100)}`);
      if (record !== null) records.push(record);
      at = cursorIn(parsed, cursorOf) ?? at;
    }
    checkWaiting(records, `lines without a cursor (${show(cursorOf)})`);
    if (at === undefined || at === position) continue;
    position = at;
    yield { records, position };
    records = [];
  }
}

function withCursor(url: string | URL, cursor: string | undefined): string | URL {
  if (cursor === undefined) return url;
  const next = new URL(url, globalThis.location?.href);
  next.searchParams.set('after', cursor);
  return next;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    const what = `a line is no JSON: ${(cause as Error).message}: ${line.slice(0, 100)}`;
    throw new SinkError('fatal', what, { cause });
  }
}

function cursorIn(
  line: unknown,
  of: NonNullable<NdjsonSourceOptions['cursorOf']>,
): string | undefined {
  const cursor =
    typeof of === 'function' ? of(line) : ((line ?? {}) as Readonly<Record<string, Cursor>>)[of];
  if (cursor === null || cursor === undefined) return undefined;
  if (typeof cursor === 'string' || typeof cursor === 'number') return String(cursor);
  throw new SinkError('fatal', `a cursor is a text or a number, got ${show(cursor)}`);
}
