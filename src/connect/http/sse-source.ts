import { checkEach, checkFunction, mistake } from '../../base/argument.ts';
import type { Source, SourceBatch, SourceContext, SourceRecord } from '../source.ts';
import { Lines, STREAM_CHECKS, checkWaiting, recordOf, textsOf } from './text-stream.ts';
import type { StreamOptions } from './text-stream.ts';

/** An event of a stream: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export interface ServerSentEvent {
  /** The last id of the stream; '' where it has told none. */
  readonly id: string;
  /** 'message' where the event names none. */
  readonly event: string;
  readonly data: string;
}

export interface SseSourceOptions extends StreamOptions {
  readonly url: string | URL;
  /** The record of an event; null: the event is left out. Default: its data, parsed as JSON, as the value. */
  readonly toRecord?: (event: ServerSentEvent) => SourceRecord | null;
}

/**
 * A source of server-sent events. The position is the id of the last event, which a new request has as
 * its `Last-Event-ID`; events without an id are stored with the next one that has one. Events that have come
 * together are stored together.
 *
 * Throws a `TypeError` for a bad option.
 */
export function sseSource(options: SseSourceOptions): Source {
  const checked = checkEach<SseSourceOptions>('sseSource()', options, {
    ...STREAM_CHECKS,
    url: (name, url) => {
      if (typeof url === 'string' || url instanceof URL) return;
      throw mistake(`${name} must be a URL`, url);
    },
    toRecord: (_, value) => checkFunction('toRecord must be a function', value),
  });
  if (checked.url === undefined) throw new TypeError('sseSource() needs url');
  return { read: (position, context) => read(checked, position, context) };
}

async function* read(
  { url, toRecord = parsed, ...stream }: SseSourceOptions,
  position: string | undefined,
  context: SourceContext,
): AsyncGenerator<SourceBatch> {
  const extra = position === undefined ? undefined : { 'last-event-id': position };
  const parser = new EventParser(position ?? '');
  let records: SourceRecord[] = [];
  let at = position ?? '';
  for await (const text of textsOf(url, ['text/event-stream'], stream, { ...extra }, context)) {
    for (const event of parser.push(text)) {
      const record = recordOf(toRecord, event, `the event '${event.id}'`);
      if (record !== null) records.push(record);
      at = event.id;
    }
    checkWaiting(records, 'events without an id');
    if (at === (position ?? '') || at === '') continue;
    position = at;
    yield { records, position };
    records = [];
  }
}

function parsed({ data }: ServerSentEvent): SourceRecord {
  return { value: JSON.parse(data) as unknown };
}

/** Lines into events: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
class EventParser {
  // A CR at the end may be the half of a CRLF.
  readonly #lines = new Lines(/\r\n|\n|\r(?!$)/);
  #id: string;
  #event = '';
  #data: string[] = [];

  constructor(id: string) {
    this.#id = id;
  }

  *push(text: string): Generator<ServerSentEvent> {
    for (const line of this.#lines.push(text)) {
      const event = line === '' ? this.#dispatch() : this.#field(line);
      if (event !== undefined) yield event;
    }
  }

  #field(line: string): undefined {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#event = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
  }

  #dispatch(): ServerSentEvent | undefined {
    const [event, data] = [this.#event || 'message', this.#data];
    this.#event = '';
    this.#data = [];
    return data.length === 0 ? undefined : { id: this.#id, event, data: data.join('\n') };
  }
}
