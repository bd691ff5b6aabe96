import type { TopicInfo } from '../../protocol/topic.ts';
import type { SendCall, Sink } from '../accumulator/partition-accumulator.ts';
import { withOwnBytes } from '../accumulator/topic-accumulator.ts';
import type { OutgoingRecord } from '../accumulator/topic-accumulator.ts';
import { asError } from './admission.ts';
import type { Submission } from './admission.ts';
import type { RecordBuffer } from './record-buffer.ts';

/** A `send` or a `sendBatch`. */
export interface RecordCall extends SendCall {
  /** The topic's name. */
  readonly topic: string;
  /** Called instead of `sink` where no record is added to the buffer. */
  readonly refuse: (reason: unknown) => void;
}

/** The records of a `send` or a `sendBatch`. A class, because each `send` allocates one. */
export class RecordSubmission implements Submission, RecordCall {
  readonly topic: string;
  readonly signal: AbortSignal | undefined;
  readonly sentAt: number;
  readonly sink: Sink;
  readonly refuse: (reason: unknown) => void;
  readonly #buffer: RecordBuffer;
  #records: readonly OutgoingRecord[];

  constructor(buffer: RecordBuffer, call: RecordCall, records: readonly OutgoingRecord[]) {
    this.topic = call.topic;
    this.signal = call.signal;
    this.sentAt = call.sentAt;
    this.sink = call.sink;
    this.refuse = call.refuse;
    this.#buffer = buffer;
    this.#records = records;
  }

  accepts(topic: TopicInfo): boolean {
    const accumulators = this.#buffer.topic(topic);
    return this.#records.every((record) => accumulators.accepts(record));
  }

  add(topic: TopicInfo): void {
    const buffer = this.#buffer;
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
            ? accumulator.add(parts, size, i, this)
            : accumulator.addAlone(parts, expectedOffset, i, this);
        buffer.added(accumulator, bytes);
        isFull ||= accumulator.hasSealed;
      } catch (error) {
        this.sink(i, asError(error)); // as when memory for the batch runs out
      }
    }
    if (isFull) buffer.sender.drain('full');
  }

  own(): void {
    this.#records = this.#records.map(withOwnBytes);
  }
}
