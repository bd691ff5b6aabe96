import { HEADERS } from '../../src/connect/http/http-protocol.ts';
import type { ReceivedRecord } from '../../src/receiver.ts';
import { receiver } from '../../src/receiver.ts';

/** A server with a database, whose requests fail as a test says. */
export class FakeTarget {
  /** What was stored of each source, in order. */
  readonly stored = new Map<string, ReceivedRecord[]>();
  readonly positions = new Map<string, number>();
  /** Every request that came, as `GET` or `POST from-to`. */
  readonly requests: string[] = [];
  /** What becomes of the next requests, one after the other; then everything is well. */
  readonly faults: Fault[] = [];
  /** How long a request is on its way. */
  delay: () => Promise<void> = async () => {};
  readonly #handle = receiver({
    position: ({ id }) => this.positions.get(id),
    store: (batch) => {
      const { records, position } = batch.after(this.positions.get(batch.source.id));
      this.positions.set(batch.source.id, position);
      this.stored.set(batch.source.id, [...(this.stored.get(batch.source.id) ?? []), ...records]);
    },
  });

  /** The stored values, of all sources. */
  get values(): unknown[] {
    return [...this.stored.values()].flat().map(({ value }) => value);
  }

  readonly fetch: typeof fetch = async (url, init) => {
    // Whoever aborts a request cannot stop it on its way.
    const { signal: _, ...sent } = init!;
    const request = new Request(url, sent);
    await this.delay();
    const { method, headers } = request;
    const range = `${headers.get(HEADERS.from)}-${headers.get(HEADERS.to)}`;
    this.requests.push(method === 'GET' ? method : `${method} ${range}`);
    const fault = this.faults.shift() ?? 'none';
    if (fault instanceof Response) return fault.clone();
    if (fault === 'requestLost') throw new TypeError('fetch failed');
    const answer = await this.#handle(request);
    if (fault === 'answerLost') throw new TypeError('connection reset');
    return answer;
  };
}

export type Fault = 'none' | 'requestLost' | 'answerLost' | Response;
