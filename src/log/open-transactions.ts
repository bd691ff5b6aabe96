import { MAX_INFLATED_BYTES, viewOf } from '../record/batch-format.ts';
import type { RecordBatch } from '../record/batch-reader.ts';
import { RecordCursor } from '../record/record-cursor.ts';
import { inflateRecords } from './validate.ts';

/**
 * The type of a control record, behind 16 bits of version in its key (Kafka's `ControlRecordType`);
 * those with other numbers end no transaction.
 */
const CONTROL = { abort: 0, commit: 1 } as const;
const CONTROL_TYPE_AT = 2;
const CONTROL_KEY_BYTES = 4;

/**
 * Tells which batches of a log were committed. A producer has one transaction at a time: its marker is
 * about all that it wrote since its last one. Kafka's consumers do the same, with the help of the
 * `.txnindex` for markers that they have not come to.
 */
export class OpenTransactions {
  readonly #open = new Map<number, RecordBatch[]>();

  /** Takes the next batch of the log; those of which it tells that they were aborted. */
  add(batch: RecordBatch): readonly RecordBatch[] {
    const { producerId, isControl, isTransactional } = batch;
    if (!isTransactional) return [];
    const open = this.#open.get(producerId) ?? [];
    if (!isControl) {
      open.push(batch);
      this.#open.set(producerId, open);
      return [];
    }
    const type = controlType(batch);
    if (type !== CONTROL.abort && type !== CONTROL.commit) return [];
    this.#open.delete(producerId);
    return type === CONTROL.abort ? open : [];
  }

  /** Those that have no marker yet. */
  get batches(): readonly RecordBatch[] {
    return [...this.#open.values()].flat();
  }
}

/** `undefined`: compaction has emptied the marker, as it does once it is about nothing that is left. */
function controlType(batch: RecordBatch): number | undefined {
  const cursor = new RecordCursor(batch, inflateRecords(batch, MAX_INFLATED_BYTES));
  if (!cursor.next() || cursor.keyLength < CONTROL_KEY_BYTES) return undefined;
  return viewOf(cursor.bytes).getInt16(cursor.keyAt + CONTROL_TYPE_AT);
}
