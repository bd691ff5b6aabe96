import { show } from '../../base/show.ts';
import type { HttpAnswer } from '../http/http-client.ts';
import { describe, failureOf } from '../http/http-failure.ts';
import { SinkError } from '../sink/sink-error.ts';
import type { SinkErrorKind } from '../sink/sink-error.ts';

/** The codes of the dialect that mean more than their HTTP status does. */
const CODES = {
  unknownTopic: 40_401,
  unknownPartition: 40_402,
  unknownConsumer: 40_403,
  /** Kafka has refused the record, for example as too large. */
  kafkaError: 50_002,
  /** Of records: Karapace's, and those of the first version of the dialect. */
  refused: 1,
  retriable: 2,
} as const;

/** The answer's word on one record. */
export interface RecordAnswer {
  readonly offset?: number | null;
  readonly error_code?: number | null;
  readonly error?: string | null;
  /** In place of `error`, of the Strimzi Kafka Bridge. */
  readonly message?: string | null;
}

export function isFailed({ error_code: code, error }: RecordAnswer): boolean {
  return (code ?? 0) !== 0 || typeof error === 'string';
}

/** The answer as JSON; `undefined` where it is none. */
export function jsonIn({ text }: HttpAnswer): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function codeIn(answer: HttpAnswer): number | undefined {
  const { error_code: code } = (jsonIn(answer) ?? {}) as { readonly error_code?: unknown };
  return typeof code === 'number' ? code : undefined;
}

/** The meaning of an answer that is no success, to a request with records. */
export function requestFailureOf(answer: HttpAnswer): SinkError {
  const code = codeIn(answer);
  if (code === CODES.unknownTopic || code === CODES.unknownPartition) {
    return new SinkError('fatal', describe(answer) + nextStepOf(code));
  }
  // Of another content type every batch is, and not a record.
  if (answer.status === 415) {
    const next = 'does the proxy speak the REST v2 dialect in this `format`?';
    return new SinkError('fatal', `${describe(answer)}: ${next}`);
  }
  return failureOf(answer);
}

/** The meaning of an answer that is no success, to a request that reads back. */
export function readBackFailureOf(answer: HttpAnswer): SinkError {
  const [{ status }, code] = [answer, codeIn(answer)];
  const what = `reading back: ${describe(answer)}`;
  const without =
    'set readBack: false to do without, and have records again after an uncertain outcome';
  if (code === CODES.unknownTopic || code === CODES.unknownPartition) {
    return new SinkError('fatal', what + nextStepOf(code));
  }
  if (code === CODES.unknownConsumer) {
    const next = 'a load balancer has to send the requests of a tab to the same proxy';
    return new SinkError('retry', `${what}: ${next}, or ${without}`);
  }
  if ([404, 405, 406, 415, 422].includes(status)) {
    const next = 'the proxy needs GET /topics/{topic}/partitions/{partition}/offsets and consumers';
    return new SinkError('fatal', `${what}: ${next} with assignments and positions, or ${without}`);
  }
  const { kind, retryAfterMs } = failureOf(answer);
  const options = retryAfterMs === undefined ? {} : { retryAfterMs };
  return kind === 'unauthorized'
    ? new SinkError(kind, `${what}: who produces has to be allowed to read, or ${without}`, options)
    : new SinkError(kind === 'refused' ? 'fatal' : kind, what, options);
}

/** What the error of one record means. `offset`: the record's, in the log. */
export function recordFailureOf(
  answer: HttpAnswer,
  { error_code: code, error, message }: RecordAnswer,
  offset: number,
): SinkError {
  const said = error ?? message ?? '';
  const kind = kindOf(code ?? 0, said);
  const { method, url } = answer;
  const what = `${method} ${url} answered ${show(code)} for offset ${offset}: ${said}`;
  const { retryAfterMs } = failureOf(answer);
  return new SinkError(kind, what + nextStepOf(code ?? 0), {
    ...(kind === 'refused' && { offset }),
    ...(kind === 'retry' && retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function kindOf(code: number, said: string): SinkErrorKind {
  // Karapace has its code 1 for time-outs as well, after which nobody knows what was stored.
  if (code === CODES.refused) return /timed out|cancel/i.test(said) ? 'retry' : 'refused';
  if (code === CODES.retriable) return 'retry';
  if (code === CODES.kafkaError) return 'refused';
  const status = Number(String(code).slice(0, 3));
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 404) return 'fatal';
  return [400, 413, 422].includes(status) ? 'refused' : 'retry';
}

function nextStepOf(code: number): string {
  if (code === CODES.unknownTopic || code === 404) {
    return ': create the topic in Kafka, and call restart() of the connector';
  }
  if (code !== CODES.unknownPartition) return '';
  return ': give the topic in Kafka as many partitions as the one here has, or pass `partition`';
}
