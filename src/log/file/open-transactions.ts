import { MAX_INFLATED_BYTES, viewOf } from '../../record/batch-format.ts';
import type { RecordBatch } from '../../record/batch-reader.ts';
import { RecordCursor } from '../../record/record-cursor.ts';
import { inflateRecords } from '../validate.ts';

/**
 * The type of a control record, after 16 bits of version in its key (Kafka's `ControlRecordType`).
 * Other types end no transaction.
 */
const CONTROL = { abort: 0, commit: 1 } as const;
const CONTROL_TYPE_AT = 2;
const CONTROL_KEY_BYTES = 4;

/**
 * Tells which batches of a log were committed. A producer has one transaction at a time, so its
 * marker covers all that it wrote since its previous marker. Kafka's consumers decide the same way;
 * for markers ahead of them the broker adds the `.txnindex`.
 */
export class OpenTransactions {
  readonly #open = new Map<number, RecordBatch[]>();

  /** Takes the next batch of the log; returns the batches that a marker among them aborts. */
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

  /** The batches of transactions without a marker so far. */
  get batches(): readonly RecordBatch[] {
    return [...this.#open.values()].flat();
  }
}

/**
 * The marker's type; `undefined` where compaction has emptied the marker, because nothing that it
 * covers is left.
 */
function controlType(batch: RecordBatch): number | undefined {
  const cursor = new RecordCursor(batch, inflateRecords(batch, MAX_INFLATED_BYTES));
  if (!cursor.next() || cursor.keyLength < CONTROL_KEY_BYTES) return undefined;
  return viewOf(cursor.bytes).getInt16(cursor.keyAt + CONTROL_TYPE_AT);
}
