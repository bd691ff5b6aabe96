import type { TablogError } from '../../base/error.ts';
import type { Clock } from '../../platform/clock.ts';
import { randomId } from '../../platform/random-id.ts';
import type { RandomSource } from '../../platform/random-id.ts';
import type {
  BrokerDescription,
  BrokerDiagnostics,
  DiagnosticEntry,
  DiagnosticKind,
} from '../../protocol/diagnostics.ts';

/** The bounds of the entries that are kept: the older ones are dropped. */
const MAX_ENTRIES = 500;
const MAX_BYTES = 128 * 1024;

/** The bytes of an entry without its texts, roughly. */
const ENTRY_BYTES = 128;

/** The most characters of a text: the message of an error can be long. */
const MAX_TEXT = 300;

export interface DiagnosticsOptions {
  readonly clock: Clock;
  /** The id by which tabs know the broker now. */
  readonly brokerId: () => string;
  readonly host: BrokerDescription['host'];
  /** The number of connected tabs. */
  readonly clients: () => number;
}

/** The facts of a description that change from one call to the next. */
type Now = Pick<BrokerDescription, 'waitingFetches' | 'transactionsInFlight' | 'transactions'>;

/**
 * A ring buffer of what happened in the broker of a log, for `log.diagnostics()`. Rare events are
 * recorded, and records and fetches are not: an entry costs an object, and nothing is formatted.
 */
export class Diagnostics {
  readonly #options: DiagnosticsOptions;
  readonly #startedAt: number;
  readonly #entries: DiagnosticEntry[] = [];
  #bytes = 0;
  #dropped = 0;

  constructor(options: DiagnosticsOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
    this.record('brokerStarted', { host: options.host });
  }

  record(kind: DiagnosticKind, details: DiagnosticEntry['details']): void {
    const entry = { timestamp: this.#options.clock.now(), kind, details };
    this.#entries.push(entry);
    this.#bytes += bytesOf(entry);
    while (this.#entries.length > MAX_ENTRIES || this.#bytes > MAX_BYTES) {
      this.#bytes -= bytesOf(this.#entries.shift()!);
      this.#dropped++;
    }
  }

  read(now: Now): BrokerDiagnostics {
    const { clock, brokerId, host, clients } = this.#options;
    const uptimeMs = clock.now() - this.#startedAt;
    return {
      broker: { brokerId: brokerId(), host, uptimeMs, clients: clients(), ...now },
      entries: [...this.#entries],
      droppedEntries: this.#dropped,
    };
  }
}

/** The diagnostics of a broker in the thread of its one client. */
export function inlineDiagnostics(clock: Clock, crypto: RandomSource | undefined): Diagnostics {
  const id = randomId(crypto);
  return new Diagnostics({ clock, brokerId: () => id, host: 'inline', clients: () => 1 });
}

/** The facts of an error, as details of an entry. */
export function failureOf({ code, happened }: TablogError): DiagnosticEntry['details'] {
  return { code, message: happened.slice(0, MAX_TEXT) };
}

/** The kind and the details of a call that was answered with an error. */
export function failedCall(
  method: string,
  error: TablogError,
): [DiagnosticKind, DiagnosticEntry['details']] {
  const kind = error.outcome === 'fenced' ? 'fenced' : 'callFailed';
  return [kind, { method, ...failureOf(error) }];
}

function bytesOf({ details }: DiagnosticEntry): number {
  let bytes = ENTRY_BYTES;
  for (const value of Object.values(details)) if (typeof value === 'string') bytes += value.length;
  return bytes;
}
