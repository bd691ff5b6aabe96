import { SinkError } from '../sink/sink-error.ts';
import type { HttpAnswer } from './http-client.ts';

/** What an endpoint answers to a batch that it will never take: the record is looked for. */
const REFUSED: ReadonlySet<number> = new Set([400, 413, 415, 422]);

/** What an answer that is no success means. */
export function failureOf(answer: HttpAnswer): SinkError {
  const { status } = answer;
  const retryAfterMs = retryAfter(answer.headers.get('retry-after'));
  const options = retryAfterMs === undefined ? {} : { retryAfterMs };
  const message = describe(answer);
  if (status === 401 || status === 403) return new SinkError('unauthorized', message, options);
  if (REFUSED.has(status)) return new SinkError('refused', message);
  const isPassing = status >= 500 || [404, 408, 409, 425, 429].includes(status);
  return new SinkError(isPassing ? 'retry' : 'fatal', message, options);
}

/** The same of a receiver, whose 400 is of the request, and not of a record. */
export function receiverFailureOf(answer: HttpAnswer): SinkError {
  const failure = failureOf(answer);
  const isOfRecords = answer.status === 413 || answer.status === 422;
  if (failure.kind !== 'refused' || isOfRecords) return failure;
  return new SinkError('fatal', failure.message);
}

/** The answer in words, with the beginning of what it says. */
export function describe({ method, url, status, text }: HttpAnswer): string {
  const said = text.trim().replaceAll(/\s+/g, ' ').slice(0, 200);
  return `${method} ${url} answered ${status}${said === '' ? '' : `: ${said}`}`;
}

/** Seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after */
function retryAfter(text: string | null): number | undefined {
  if (text === null) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

/** A day: a target that asks for longer may have been mended meanwhile. */
const MAX_RETRY_AFTER_MS = 86_400_000;
