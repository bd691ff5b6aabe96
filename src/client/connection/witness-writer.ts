import { isLogDeleted } from '../../base/error.ts';
import type { Clock } from '../../platform/clock.ts';
import type { PageLifecycle } from '../../platform/page-lifecycle.ts';
import { readWitness, writeWitness } from '../../platform/witness-storage.ts';
import type { Method, OpenedLog, Request, Response } from '../../protocol/broker.ts';
import { formatWitness, parseWitness } from '../../protocol/log-witness.ts';
import type { LogWitness } from '../../protocol/log-witness.ts';
import { isInMemory } from '../../protocol/topic-id.ts';
import { FIELD } from '../../record/batch-format.ts';

/** The part of a tab's connection that its witness uses. */
export interface WitnessedConnection {
  readonly log: string;
  readonly clock: Clock;
  readonly page: Pick<PageLifecycle, 'onLeave'>;
  readonly closed: AbortSignal;
  call(method: 'openLog', request: Request<'openLog'>): Promise<OpenedLog>;
}

/**
 * The pause between the first offset that the witness lacks and the writing of it, in milliseconds.
 * So a busy tab writes to localStorage, which blocks the page for some tenths of a millisecond,
 * once in this time.
 */
const WRITE_MS = 2_000;

/** The end offsets of a topic's partitions, as this tab has seen them. */
interface SeenTopic {
  readonly ends: number[];
  /** The number of the call that saw an end last. */
  seenAt: number;
}

/**
 * Writes a log's witness: the end offsets that the answers to this tab have shown, by the number of
 * batches and never of records. All tabs write one witness, merged by maximum; a tab whose write
 * another one overwrites has its offsets in its next write.
 *
 * The witness of another log is left alone: this tab's log was deleted, and does not know it yet.
 */
export class WitnessWriter {
  readonly #connection: WitnessedConnection;
  readonly #logId: string;
  #topicsVersion: number;
  /** The names of the topics on disk, by their ids, as of `#topicsVersion`. */
  #names: ReadonlyMap<string, string>;
  readonly #seen = new Map<string, SeenTopic>();
  #calls = 0;
  #isReading = false;
  #cancelWrite: (() => void) | undefined;

  constructor(connection: WitnessedConnection, opened: OpenedLog) {
    this.#connection = connection;
    this.#logId = opened.logId;
    this.#topicsVersion = opened.topicsVersion;
    this.#names = namesOf(opened);
    this.#begin();
    const { page, closed } = connection;
    page.onLeave(() => this.write(), closed);
    const close = (): void => {
      this.#cancelWrite?.();
      if (!isLogDeleted(closed.reason)) this.write();
    };
    closed.addEventListener('abort', close, { once: true });
  }

  /** Watches a call of the broker, before the buffers of its request are transferred. */
  called<M extends Method>(method: M, request: Request<M>, answer: Promise<unknown>): void {
    if (method === 'fetch') {
      answer.then((parts) => this.#fetched(parts as Response<'fetch'>), ignore);
    } else if (method === 'produce' || method === 'transact') {
      const { appends } = request as Request<'produce'>;
      const places = appends.map(({ topicId, partition, batch }) => {
        return { topicId, partition, records: recordsOf(batch) };
      });
      answer.then((results) => this.#appended(places, results as Response<'produce'>), ignore);
    }
  }

  /** Writes what this tab has seen; returns the witness, for a worker that opens the log anew. */
  write(): string | null {
    const { log } = this.#connection;
    const text = readWitness(log);
    const stored = parseWitness(text);
    if (stored?.logId !== this.#logId) return null;
    const merged = formatWitness(this.#mergedWith(stored));
    if (merged !== text) writeWitness(log, merged);
    return merged;
  }

  /** Begins the witness of a log that has none yet, or only that of a lost log. */
  #begin(): void {
    const { log } = this.#connection;
    const stored = parseWitness(readWitness(log));
    const isSame = stored?.logId === this.#logId;
    const topics = isSame ? stored.topics.filter(({ id }) => this.#names.has(id)) : [];
    const begun = { logId: this.#logId, topicsVersion: this.#topicsVersion, topics };
    writeWitness(log, formatWitness(begun));
  }

  #appended(
    places: readonly { topicId: string; partition: number; records: number }[],
    results: Response<'produce'>,
  ): void {
    this.#calls++;
    places.forEach(({ topicId, partition, records }, i) => {
      const result = results[i]!;
      if (!('error' in result)) this.#saw(topicId, partition, result.baseOffset + records);
    });
  }

  #fetched(parts: Response<'fetch'>): void {
    this.#calls++;
    for (const part of parts) {
      if (!('error' in part)) this.#saw(part.topicId, part.partition, part.endOffset);
    }
  }

  #saw(topicId: string, partition: number, end: number): void {
    let topic = this.#seen.get(topicId);
    if (topic === undefined) {
      if (isInMemory(topicId)) return; // such offsets begin anew with each worker
      this.#seen.set(topicId, (topic = { ends: [], seenAt: 0 }));
    }
    const { ends } = topic;
    if ((ends[partition] ?? 0) >= end) return;
    while (ends.length < partition) ends.push(0); // a sparse array would become nulls
    ends[partition] = end;
    topic.seenAt = this.#calls;
    if (this.#names.has(topicId)) this.#writeSoon();
    else void this.#readTopics();
  }

  #writeSoon(): void {
    if (this.#connection.closed.aborted) return;
    this.#cancelWrite ??= this.#connection.clock.after(WRITE_MS, () => {
      this.#cancelWrite = undefined;
      this.write();
    });
  }

  /** Reads the topics, because one is new to this tab; a topic without a name is not written. */
  async #readTopics(): Promise<void> {
    if (this.#isReading || this.#connection.closed.aborted) return;
    this.#isReading = true;
    const request = { logId: this.#logId };
    const asked = [...this.#seen.keys()];
    // After a failure, the next end of a new topic asks again.
    const opened = await this.#connection.call('openLog', request).catch(() => undefined);
    this.#isReading = false;
    if (opened === undefined) return;
    this.#topicsVersion = opened.topicsVersion;
    this.#names = namesOf(opened);
    for (const id of asked) if (!this.#names.has(id)) this.#seen.delete(id); // deleted since
    this.#writeSoon();
  }

  /** The witness that is stored, with what this tab has seen: the topics seen last come first. */
  #mergedWith(stored: LogWitness): LogWitness {
    const isNewer = this.#topicsVersion >= stored.topicsVersion;
    const others = new Map(stored.topics.map((topic) => [topic.id, topic]));
    const own = [...this.#seen]
      .filter(([id]) => this.#names.has(id))
      .sort(([, a], [, b]) => b.seenAt - a.seenAt)
      .map(([id, { ends }]) => {
        const other = others.get(id)?.ends ?? [];
        others.delete(id);
        const longest = ends.length > other.length ? ends : other;
        const most = longest.map((_, i) => Math.max(ends[i] ?? 0, other[i] ?? 0));
        return { id, name: this.#names.get(id)!, ends: most };
      });
    const kept = [...others.values()].filter(({ id }) => !isNewer || this.#names.has(id));
    return {
      logId: this.#logId,
      topicsVersion: Math.max(this.#topicsVersion, stored.topicsVersion),
      topics: [...own, ...kept],
    };
  }
}

function namesOf({ topics }: OpenedLog): ReadonlyMap<string, string> {
  return new Map(topics.filter(({ id }) => !isInMemory(id)).map(({ id, name }) => [id, name]));
}

/** The number of offsets that a record batch takes. */
function recordsOf(batch: ArrayBuffer): number {
  return new DataView(batch).getInt32(FIELD.lastOffsetDelta) + 1;
}

/** A failed call has shown no offset, and its caller gets the error. */
function ignore(): void {}
