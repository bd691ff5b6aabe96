import type { SinkBatch, SinkSource } from '../sink/sink.ts';

/**
 * The version of what a sink and a receiver tell each other. A batch is a POST of its records, with these headers; a
 * GET with the source's headers asks for the position. The answer to both has the header
 * `tablog-position`: an offset, or 'none' where the receiver has nothing of the source.
 */
export const HTTP_PROTOCOL = '1';

export const HEADERS = {
  protocol: 'tablog-protocol',
  /** The source: `SinkSource`. */
  source: 'tablog-source',
  log: 'tablog-log',
  topic: 'tablog-topic',
  partition: 'tablog-partition',
  /** The range of a batch. */
  from: 'tablog-from',
  to: 'tablog-to',
  /** The offsets of the first and the last record. */
  firstOffset: 'tablog-first-offset',
  lastOffset: 'tablog-last-offset',
  position: 'tablog-position',
  idempotencyKey: 'idempotency-key',
} as const;

/** What the header `tablog-position` has for a receiver without anything of a source. */
export const NO_POSITION = 'none';

export function sourceHeaders({ id, log, topic, partition }: SinkSource): Record<string, string> {
  return {
    [HEADERS.protocol]: HTTP_PROTOCOL,
    [HEADERS.source]: id,
    [HEADERS.log]: log,
    [HEADERS.topic]: topic,
    [HEADERS.partition]: String(partition),
  };
}

export function batchHeaders({ source, from, to, records }: SinkBatch): Record<string, string> {
  const [first, last] = [records[0], records.at(-1)];
  // Of other records the key is another one, also where a refused one of the same range was left out.
  const content = `${first?.offset ?? from}-${last?.offset ?? to}-${records.length}`;
  return {
    ...sourceHeaders(source),
    [HEADERS.from]: String(from),
    [HEADERS.to]: String(to),
    ...(first !== undefined && {
      [HEADERS.firstOffset]: String(first.offset),
      [HEADERS.lastOffset]: String(last!.offset),
    }),
    // https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/: a quoted string
    [HEADERS.idempotencyKey]: `"${source.id}/${content}"`,
  };
}

/** The position of an answer; `null`: it has nothing of the source; `undefined`: it tells none. */
export function positionOf(headers: Headers): number | null | undefined {
  const text = headers.get(HEADERS.position);
  if (text === NO_POSITION) return null;
  return text !== null && /^\d{1,16}$/.test(text) ? Number(text) : undefined;
}
