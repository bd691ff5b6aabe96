import type { JsonRecord } from '../http/http-body.ts';
import type { HttpAnswer } from '../http/http-client.ts';
import { describe } from '../http/http-failure.ts';
import { SinkError } from '../sink/sink-error.ts';
import type { SinkSource } from '../sink/sink.ts';

/**
 * A message of a stream that the sink writes, in JSON. There are three kinds:
 *
 * | message | fields | meaning |
 * |---|---|---|
 * | beginning | `source` | the first one of a stream that the sink has created |
 * | claim | `source`, `epoch` | a tab begins to write; it fences all tabs of lower epochs |
 * | batch | all | the records of the offsets `from` up to, and without, `to` |
 *
 * A reader takes the `records` of the messages that have some, and no others.
 */
export interface DurableStreamsMessage {
  /** The source of the stream's records: `SinkSource.id`. */
  readonly source: string;
  /** The epoch of the tab that wrote the message: `Producer-Epoch`. */
  readonly epoch?: number;
  readonly from?: number;
  /** The position of the stream from this message on. */
  readonly to?: number;
  readonly records?: readonly JsonRecord[];
}

/** Section 5 of https://github.com/durable-streams/durable-streams/blob/main/PROTOCOL.md */
export const HEADERS = {
  producerId: 'producer-id',
  producerEpoch: 'producer-epoch',
  producerSeq: 'producer-seq',
  expectedSeq: 'producer-expected-seq',
  nextOffset: 'stream-next-offset',
  upToDate: 'stream-up-to-date',
  closed: 'stream-closed',
  cursor: 'stream-cursor',
} as const;

/** The offset of the first message. Other offsets are opaque. */
export const BEGINNING = '-1';

/** The parts of one answer to a GET. */
export interface StreamChunk {
  readonly messages: readonly unknown[];
  /** The offset at which the next GET goes on. */
  readonly nextOffset: string;
  /** There was no more when the server answered. */
  readonly isUpToDate: boolean;
  /** There never will be more. */
  readonly isClosed: boolean;
}

/** The chunk of an answer 200, or of 204, which a long poll without messages ends with. */
export function chunkOf(answer: HttpAnswer): StreamChunk {
  const { headers, status, text } = answer;
  const nextOffset = headers.get(HEADERS.nextOffset);
  if (nextOffset === null) {
    // As the sign-in page of a network answers, which passes.
    throw new SinkError(
      'retry',
      `${describe(answer)} without a Stream-Next-Offset: is it the URL of a durable stream, ` +
        'and does the server expose the header (Access-Control-Expose-Headers)?',
    );
  }
  return {
    messages: status === 204 ? [] : messagesOf(answer, text),
    nextOffset,
    isUpToDate: headers.get(HEADERS.upToDate) === 'true',
    isClosed: headers.get(HEADERS.closed) === 'true',
  };
}

function messagesOf({ url, headers }: HttpAnswer, text: string): readonly unknown[] {
  const type = headers.get('content-type') ?? '';
  if (!/^application\/json\b/i.test(type)) {
    throw new SinkError('fatal', `the stream ${url} has '${type}', and no application/json`);
  }
  try {
    const messages: unknown = JSON.parse(text === '' ? '[]' : text);
    if (Array.isArray(messages)) return messages;
  } catch {
    // Cut off on its way: the next answer is another one.
  }
  throw new SinkError('retry', `the stream ${url} has answered with no array of JSON`);
}

/** The messages, all of which must be of the source. */
export function messagesFor(
  { id }: SinkSource,
  messages: readonly unknown[],
  url: string,
): readonly DurableStreamsMessage[] {
  for (const message of messages as readonly (Partial<DurableStreamsMessage> | null)[]) {
    if (message?.source === id) continue;
    const what = `the stream ${url} has messages of others than of the source '${id}'`;
    throw new SinkError('fatal', `${what}: let url() tell a stream of its own for source.id`);
  }
  return messages as readonly DurableStreamsMessage[];
}
