/**
 * A REST proxy over topics in memory, made from the published description of Confluent's v2 API, and as
 * strict: https://docs.confluent.io/platform/current/kafka-rest/api.html
 */
import { toBase64 } from '../../src/connect/http/http-body.ts';

type Format = 'json' | 'binary';

/** What is stored: the bytes, as base64; null: none. */
interface StoredRecord {
  readonly key: string | null;
  readonly value: string | null;
}

interface Instance {
  readonly format: Format;
  assigned: { readonly topic: string; readonly partition: number } | undefined;
  position: number;
  /** Whether it was asked for records before: the first answer of a consumer is empty. */
  isWarm: boolean;
}

/** What becomes of a request that produces. */
export type Fault =
  | 'none'
  | 'requestLost'
  | 'answerLost'
  | Response
  /** The code of the records of a request that are not stored, by their place in it. */
  | { readonly failed: ReadonlyMap<number, number> };

interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

const V2 = 'application/vnd.kafka.v2+json';
const typeOf = (format: Format): string => `application/vnd.kafka.${format}.v2+json`;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** The most bytes of a record that a topic takes: `max.message.bytes`. */
const MAX_MESSAGE_BYTES = 1_048_588;
/** The most records of one answer to a consumer. */
const FETCH_RECORDS = 7;

class Refusal extends Error {
  readonly answer: Answer;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.answer = { status, body: { error_code: code, message } };
  }
}

export class RestProxy {
  /** The partitions of each topic. */
  readonly topics: ReadonlyMap<string, StoredRecord[][]>;
  /** Where each partition begins: what is before was removed by retention. */
  beginning = 0;
  /** How many offsets at the end of each partition have no records, as markers of transactions. */
  markers = 0;
  /** Every request that came, as 'POST /topics/orders'. */
  readonly requests: string[] = [];
  /** What becomes of the next requests that produce, one after the other; then everything is well. */
  readonly faults: Fault[] = [];
  /** What becomes of the next requests that do not. */
  readonly readFaults: Fault[] = [];
  /** Whether nothing is answered. */
  isDown = false;
  /** Who may ask; default: everybody. */
  authorization: string | undefined;
  /** Whether it has what reading back takes, as Redpanda's has not. */
  hasAssignments = true;
  /** How long a request is on its way. */
  delay: () => Promise<void> = async () => {};
  readonly #instances = new Map<string, Instance>();
  #names = 0;

  constructor(topics: Readonly<Record<string, number>>) {
    this.topics = new Map(
      Object.entries(topics).map(([name, partitions]) => [
        name,
        Array.from({ length: partitions }, () => []),
      ]),
    );
  }

  /** How many consumers nobody has deleted. */
  get consumers(): number {
    return this.#instances.size;
  }

  /** The proxy is another one behind a load balancer, or was started anew. */
  forgetConsumers(): void {
    this.#instances.clear();
  }

  /** The values of a partition as text. */
  texts(topic: string, partition: number = 0): (string | null)[] {
    const records = this.topics.get(topic)?.[partition] ?? [];
    return records.map(({ value }) => (value === null ? null : textIn(value)));
  }

  /** The values of a partition as JSON. */
  values<T>(topic: string, partition: number = 0): T[] {
    return this.texts(topic, partition).map((text) => JSON.parse(text ?? 'null') as T);
  }

  readonly fetch: typeof fetch = async (url, init) => {
    // Whoever aborts a request cannot stop it on its way.
    const { signal, ...sent } = init!;
    if (signal?.aborted === true) throw signal.reason as Error;
    const request = new Request(url, sent);
    const path = new URL(request.url).pathname;
    this.requests.push(`${request.method} ${path}`);
    const body = await request.text();
    await this.delay();
    const isProduce = request.method === 'POST' && path.startsWith('/topics/');
    const fault = (isProduce ? this.faults : this.readFaults).shift() ?? 'none';
    if (this.isDown || fault === 'requestLost') throw new TypeError('fetch failed');
    if (fault instanceof Response) return fault.clone();
    const failed = typeof fault === 'object' ? fault.failed : new Map<number, number>();
    const { status, body: told } = this.#answer(request, path, body, failed);
    if (fault === 'answerLost') throw new TypeError('connection reset');
    return told === undefined ? new Response(null, { status }) : Response.json(told, { status });
  };

  #answer(
    request: Request,
    path: string,
    body: string,
    failed: ReadonlyMap<number, number>,
  ): Answer {
    try {
      if (this.authorization !== request.headers.get('authorization') && this.authorization) {
        throw new Refusal(401, 40_101, 'Authentication failed');
      }
      const route = `${request.method} ${path}`;
      const parts = path.split('/').slice(1).map(decodeURIComponent);
      if (/^POST \/topics\/[^/]+$/.test(route)) {
        return this.#produce(request, parts[1]!, body, failed);
      }
      if (this.hasAssignments) {
        if (/^GET \/topics\/[^/]+\/partitions\/\d+\/offsets$/.test(route)) {
          mustAccept(request, V2);
          const { length } = this.#partition(parts[1]!, Number(parts[3]));
          const end = { beginning_offset: this.beginning, end_offset: length + this.markers };
          return { status: 200, body: end };
        }
        if (/^POST \/consumers\/[^/]+$/.test(route)) return this.#create(request, parts[1]!, body);
        if (/^\w+ \/consumers\/[^/]+\/instances\/[^/]+/.test(route)) {
          return this.#consume(request, `${parts[1]}/${parts[3]}`, parts[4] ?? '', body);
        }
      }
      throw new Refusal(404, 404, 'HTTP 404 Not Found');
    } catch (error) {
      if (error instanceof Refusal) return error.answer;
      throw error;
    }
  }

  #partition(topic: string, partition: number): StoredRecord[] {
    const partitions = this.topics.get(topic);
    if (partitions === undefined) throw new Refusal(404, 40_401, 'Topic not found.');
    const there = partitions[partition];
    if (there === undefined) throw new Refusal(404, 40_402, 'Partition not found.');
    return there;
  }

  #produce(
    request: Request,
    topic: string,
    body: string,
    failed: ReadonlyMap<number, number>,
  ): Answer {
    const type = request.headers.get('content-type');
    const format = (['json', 'binary'] as const).find((each) => typeOf(each) === type);
    if (format === undefined) throw new Refusal(415, 415, `HTTP 415 Unsupported Media Type`);
    mustAccept(request, V2);
    const { records } = fieldsOf(body, ['records']) as { readonly records?: unknown };
    if (!Array.isArray(records) || records.length === 0) {
      throw new Refusal(422, 422, 'records may not be empty');
    }
    const checked = records.map((record) => {
      const { key = null, value = null, partition } = known(record, ['key', 'value', 'partition']);
      if (!Number.isInteger(partition) || Number(partition) < 0) {
        throw new Refusal(422, 422, 'partition must be greater than or equal to 0');
      }
      const there = this.#partition(topic, Number(partition));
      return { there, partition, key: stored(key, format), value: stored(value, format) };
    });
    const offsets = checked.map(({ there, partition, key, value }, i) => {
      const isTooLarge = atob(value ?? '').length > MAX_MESSAGE_BYTES;
      const code = isTooLarge ? 50_002 : failed.get(i);
      if (code !== undefined) {
        const error = isTooLarge ? 'The message is larger than max.request.size' : 'it has failed';
        return { partition: null, offset: null, error_code: code, error };
      }
      const offset = there.push({ key, value }) - 1;
      return { partition, offset, error_code: null, error: null };
    });
    const codes = new Set(offsets.map(({ error_code: code }) => code));
    const status = codes.has(40_101) ? 401 : codes.has(40_301) ? 403 : 200;
    return { status, body: { offsets, key_schema_id: null, value_schema_id: null } };
  }

  #create(request: Request, group: string, body: string): Answer {
    mustBring(request);
    const known = ['name', 'format', 'auto.offset.reset', 'auto.commit.enable'];
    const config = fieldsOf(body, [...known, 'fetch.min.bytes', 'consumer.request.timeout.ms']);
    const { format = 'binary', 'auto.offset.reset': reset = 'latest' } = config;
    if (format !== 'json' && format !== 'binary') {
      throw new Refusal(422, 422, 'Invalid format type.');
    }
    if (reset !== 'earliest' && reset !== 'latest') {
      throw new Refusal(422, 42_204, 'Invalid consumer configuration');
    }
    const min = config['fetch.min.bytes'];
    if (min !== undefined && !Number.isInteger(min)) throw new Refusal(400, 40_001, 'Invalid');
    const name = `rest-consumer-${this.#names++}`;
    const instance: Instance = { format, assigned: undefined, position: 0, isWarm: false };
    this.#instances.set(`${group}/${name}`, instance);
    // An address of the proxy's own network, as is usual.
    const uri = `http://proxy-1.internal:8082/consumers/${group}/instances/${name}`;
    return { status: 200, body: { instance_id: name, base_uri: uri } };
  }

  #consume(request: Request, id: string, action: string, body: string): Answer {
    const instance = this.#instances.get(id);
    if (instance === undefined) throw new Refusal(404, 40_403, 'Consumer instance not found.');
    switch (`${request.method} ${action}`) {
      case 'DELETE ':
        this.#instances.delete(id);
        return { status: 204 };
      case 'POST assignments': {
        mustBring(request);
        const { partitions } = fieldsOf(body, ['partitions']) as { readonly partitions: unknown[] };
        const { topic, partition } = known(partitions[0], ['topic', 'partition']);
        instance.assigned = { topic: String(topic), partition: Number(partition) };
        return { status: 204 };
      }
      case 'POST positions': {
        mustBring(request);
        const { offsets } = fieldsOf(body, ['offsets']) as { readonly offsets: unknown[] };
        const { topic, partition, offset } = known(offsets[0], ['topic', 'partition', 'offset']);
        const { assigned } = instance;
        if (assigned?.topic !== topic || assigned?.partition !== partition) {
          throw new Refusal(409, 40_903, 'Illegal state: No current assignment for partition');
        }
        instance.position = Number(offset);
        return { status: 204 };
      }
      case 'GET records':
        return this.#fetch(request, instance);
      default:
        throw new Refusal(405, 405, 'HTTP 405 Method Not Allowed');
    }
  }

  #fetch(request: Request, instance: Instance): Answer {
    const { format, assigned, isWarm, position } = instance;
    mustAccept(request, typeOf(format), 40_601);
    if (assigned === undefined) throw new Refusal(409, 40_903, 'Illegal state: not subscribed');
    instance.isWarm = true;
    if (!isWarm) return { status: 200, body: [] };
    const { topic, partition } = assigned;
    const records = this.#partition(topic, partition).slice(position, position + FETCH_RECORDS);
    instance.position += records.length;
    const body = records.map(({ key, value }, i) => ({
      topic,
      key: shown(key, format),
      value: shown(value, format),
      partition,
      offset: position + i,
    }));
    return { status: 200, body };
  }
}

function textIn(base64: string): string {
  const bytes = Uint8Array.from(atob(base64), (char) => char.codePointAt(0)!);
  return new TextDecoder().decode(bytes);
}

function mustAccept(request: Request, type: string, code: number = 406): void {
  const accepted = request.headers.get('accept') ?? '';
  if (accepted.split(',').some((each) => each.trim() === type)) return;
  throw new Refusal(406, code, `HTTP 406 Not Acceptable: ${accepted}`);
}

function mustBring(request: Request): void {
  if (request.headers.get('content-type') === V2) return;
  throw new Refusal(415, 415, 'HTTP 415 Unsupported Media Type');
}

function fieldsOf(body: string, names: readonly string[]): Record<string, unknown> {
  try {
    return known(JSON.parse(body), names);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(400, 400, 'Malformed JSON');
  }
}

function known(value: unknown, names: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Refusal(400, 400, 'Cannot deserialize');
  }
  const other = Object.keys(value).find((name) => !names.includes(name));
  if (other !== undefined) throw new Refusal(422, 422, `Unrecognized field: ${other}`);
  return value as Record<string, unknown>;
}

function stored(value: unknown, format: Format): string | null {
  if (value === null) return null;
  if (format === 'json') return toBase64(new TextEncoder().encode(JSON.stringify(value)));
  if (typeof value === 'string' && BASE64.test(value)) return value;
  throw new Refusal(422, 422, 'Record value contains invalid base64 encoding');
}

function shown(value: string | null, format: Format): unknown {
  if (value === null || format === 'binary') return value;
  try {
    return JSON.parse(textIn(value)) as unknown;
  } catch {
    throw new Refusal(500, 50_002, 'Kafka error: SerializationException');
  }
}
