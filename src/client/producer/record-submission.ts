import type { TopicInfo } from '../../protocol/topic.ts';
import type { Sink } from '../accumulator/partition-accumulator.ts';
import { withOwnBytes } from '../accumulator/topic-accumulator.ts';
import type { OutgoingRecord } from '../accumulator/topic-accumulator.ts';
import { asError } from './admission.ts';
import type { Submission } from './admission.ts';
import type { RecordBuffer } from './record-buffer.ts';

/** The records of a `send` or a `sendBatch`. A class, because each `send` allocates one. */
export class RecordSubmission implements Submission {
  readonly topic: string;
  readonly signal: AbortSignal | undefined;
  readonly refuse: (reason: unknown) => void;
  readonly #buffer: RecordBuffer;
  readonly #sink: Sink;
  #records: readonly OutgoingRecord[];

  /**
   * `sink` gets the outcome of each record once the records are added; `refuse` is called instead
   * where none is added.
   */
  constructor(
    buffer: RecordBuffer,
    topic: string,
    records: readonly OutgoingRecord[],
    signal: AbortSignal | undefined,
    sink: Sink,
    refuse: (reason: unknown) => void,
  ) {
    this.topic = topic;
    this.signal = signal;
    this.refuse = refuse;
    this.#buffer = buffer;
    this.#records = records;
    this.#sink = sink;
  }

  accepts(topic: TopicInfo): boolean {
    const accumulators = this.#buffer.topic(topic);
    return this.#records.every((record) => accumulators.accepts(record));
  }

  add(topic: TopicInfo): void {
    const buffer = this.#buffer;
    const sink = this.#sink;
    const accumulators = buffer.topic(topic);
    const records = accumulators.prepare(this.#records);
    let isFull = false;
    for (let i = 0; i < records.length; i++) {
      const record = records[i]!;
      const { parts, size, expectedOffset } = record;
      try {
        const accumulator = accumulators.choose(record);
        const bytes =
          expectedOffset === null
            ? accumulator.add(parts, size, sink, i, this.signal)
            : accumulator.addAlone(parts, sink, i, expectedOffset, this.signal);
        buffer.added(accumulator, bytes);
        isFull ||= accumulator.hasSealed;
      } catch (error) {
        sink(i, asError(error)); // as when memory for the batch runs out
      }
    }
    if (isFull) buffer.sender.drain('full');
  }

  own(): void {
    this.#records = this.#records.map(withOwnBytes);
  }
}
