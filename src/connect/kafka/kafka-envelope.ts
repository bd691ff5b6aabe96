import type { JsonRecord } from '../http/http-body.ts';
import { toJson } from '../http/http-body.ts';
import type { SinkBatch } from '../sink/sink.ts';

/**
 * Where a record lies in its source. `stood`: an offset before which the target had everything when the
 * record was sent. `from` and `to`: the part of the source of which the record is all, as the offsets between
 * were filtered, refused, or never had a record. Of several records that a transform has made of one, each has
 * an equal part of its offset.
 */
export type EnvelopeRange = readonly [stood: number, from: number, to: number];

/** A record as the value of the one that a `kafkaRestSink()` produces, as JSON. */
export interface KafkaEnvelope extends JsonRecord {
  /** The name of the stream of records: `SinkSource.id`. */
  readonly source: string;
  readonly range: EnvelopeRange;
}

/** The ranges of a batch's records. Together they are the batch's range, without a gap. */
function rangesOf({ from: stood, to: end, records }: SinkBatch): EnvelopeRange[] {
  const counts = new Map<number, number>();
  for (const { offset } of records) counts.set(offset, (counts.get(offset) ?? 0) + 1);
  let [from, nth] = [stood, 0];
  return records.map(({ offset }, i) => {
    nth = records[i - 1]?.offset === offset ? nth + 1 : 1;
    const next = records[i + 1]?.offset ?? end;
    const to = next === offset ? offset + nth / counts.get(offset)! : next;
    const range = [stood, from, to] as const;
    from = to;
    return range;
  });
}

export function envelopesOf(batch: SinkBatch): KafkaEnvelope[] {
  const ranges = rangesOf(batch);
  const source = batch.source.id;
  return batch.records.map((record, i) => ({ ...toJson(record), source, range: ranges[i]! }));
}

/** The range of an envelope of the source; `undefined` for the value of any other record. */
export function rangeIn(value: unknown, sourceId: string): EnvelopeRange | undefined {
  const { source, range } = (value ?? {}) as Partial<KafkaEnvelope>;
  if (source !== sourceId || !Array.isArray(range) || range.length !== 3) return undefined;
  return range.every((each) => typeof each === 'number') ? range : undefined;
}

/**
 * How far a target has a source, by the ranges of the records in it, in the target's order. A record
 * whose predecessor was not stored, as in a request of which a part has failed, counts for nothing until the
 * predecessor comes: the highest offset alone would pass over it.
 */
export class EnvelopeProgress {
  #position: number | undefined;

  add([stood, from, to]: EnvelopeRange): void {
    this.#position = Math.max(this.#position ?? stood, stood);
    if (from <= this.#position && to > this.#position) this.#position = to;
  }

  /** The offset after the last one that the target has without a gap; `undefined`: it has nothing. */
  get position(): number | undefined {
    return this.#position === undefined ? undefined : Math.floor(this.#position);
  }
}
