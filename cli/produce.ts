import type { ProducerRecord } from 'tablog';
import type { CommandContext } from './commands.ts';
import { createTopic, mustHaveTopic } from './commands.ts';
import { InputError, fail } from './fail.ts';

/** A record of bytes or text. */
type PlainRecord = ProducerRecord<Uint8Array | string, Uint8Array | string>;

/** How many lines are read before those that were read are stored. */
const UNSENT = 10_000;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Sends a record for each line of the input. */
export async function produce({ log, output, options, signal }: CommandContext): Promise<void> {
  const topic = options.topic ?? fail('produce needs --topic NAME');
  const { partition, partitions, 'key-separator': separator } = options;
  if (partitions !== undefined) await createTopic(log, topic, partitions);
  await mustHaveTopic(log, topic, '--partitions N creates it');
  const producer = log.producer();
  let failure: { readonly line: number; readonly error: unknown } | undefined;
  let [lines, stored] = [0, 0];
  const failed = (line: number, error: unknown): void => {
    if (failure === undefined || line < failure.line) failure = { line, error };
  };
  try {
    for await (const bytes of linesOf(process.stdin, signal)) {
      const line = ++lines;
      try {
        const record = options.json ? recordOf(textOf(bytes)) : keyed(bytes, separator);
        const placed = partition === undefined ? record : { ...record, partition };
        void producer.send(topic, placed).then(
          () => stored++,
          (error: unknown) => failed(line, error),
        );
      } catch (error) {
        failed(line, error);
      }
      if (lines % UNSENT === 0) await producer.flush();
      if (failure !== undefined) break;
    }
  } finally {
    await producer.close();
  }
  if (failure !== undefined) {
    const { line, error } = failure;
    const what = error instanceof Error ? error.message : String(error);
    throw new InputError(`line ${line} of the input: ${what} (${stored} records were stored)`);
  }
  await output.item({ topic, records: stored }, `${stored} records to ${topic}`);
}

/** The lines of a stream, without what ends them. The last one may have no end. */
async function* linesOf(
  input: AsyncIterable<Buffer> & { destroy(): unknown },
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  signal.addEventListener('abort', () => input.destroy());
  let rest = Buffer.alloc(0);
  try {
    for await (const chunk of input) {
      const bytes = Buffer.concat([rest, chunk]);
      let from = 0;
      for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, from)) {
        yield bytes.subarray(from, bytes[at - 1] === CARRIAGE_RETURN && at > from ? at - 1 : at);
        from = at + 1;
      }
      rest = bytes.subarray(from);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  if (rest.length > 0 && !signal.aborted) yield rest;
}

function keyed(line: Buffer, separator: string | undefined): PlainRecord {
  if (separator === undefined) return { value: copyOf(line) };
  const at = line.indexOf(separator);
  if (at < 0) throw new TypeError(`there is no '${separator}' between key and value`);
  const value = line.subarray(at + Buffer.byteLength(separator));
  return { key: copyOf(line.subarray(0, at)), value: copyOf(value) };
}

/** Bytes of their own: what is read next may take their place. */
function copyOf(bytes: Buffer): Uint8Array {
  return Uint8Array.from(bytes);
}

function textOf(line: Buffer): string {
  return line.toString('utf8');
}

const FIELDS = ['key', 'value', 'headers', 'timestamp', 'partition'];
/** What `consume --json` tells beside the fields of a record. */
const PLACE = ['topic', 'offset'];

/** The record of a line of JSON, as `consume --json` writes it. */
function recordOf(line: string): PlainRecord {
  const fields = fieldsOf(line);
  const unknown = Object.keys(fields).find((name) => ![...FIELDS, ...PLACE].includes(name));
  if (unknown !== undefined) {
    throw new TypeError(`there is no field "${unknown}", and there are: ${FIELDS.join(', ')}`);
  }
  const { key, value, headers, timestamp, partition } = fields;
  if (value === undefined) throw new TypeError('it has no "value"; a tombstone has null');
  const record = {
    key: bytesOf('key', key),
    value: bytesOf('value', value),
    headers: headersOf(headers),
    timestamp,
    partition,
  };
  const given = Object.entries(record).filter(([, field]) => field !== undefined);
  return Object.fromEntries(given) as never;
}

function fieldsOf(line: string): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    throw new TypeError(`it is no JSON (${(error as Error).message})`, { cause: error });
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as never;
  throw new TypeError('it is no JSON object');
}

function headersOf(headers: unknown): unknown {
  if (headers === undefined) return undefined;
  const isPair = (each: unknown): each is [string, unknown] =>
    Array.isArray(each) && each.length === 2 && typeof each[0] === 'string';
  if (!Array.isArray(headers) || !headers.every(isPair)) {
    throw new TypeError('"headers" must be an array of pairs of a name and a value');
  }
  return headers.map(([name, value]) => [name, bytesOf('headers', value)]);
}

function bytesOf(field: string, text: unknown): Uint8Array | string | null | undefined {
  if (text === undefined || text === null || typeof text === 'string') return text;
  const { base64 } = text as { readonly base64?: unknown };
  if (typeof base64 === 'string') return new Uint8Array(Buffer.from(base64, 'base64'));
  throw new TypeError(`"${field}" must be text, null or {"base64": "…"}: write JSON as a text`);
}
