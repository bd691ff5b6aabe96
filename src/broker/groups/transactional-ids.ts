import type { Clock } from '../../platform/clock.ts';
import { FENCED } from '../../base/error-rules.ts';
import type { ErrorRule } from '../../base/error-rule.ts';
import { TablogError } from '../../base/error.ts';
import { randomProducerId } from '../../platform/random-id.ts';
import type { RandomSource } from '../../platform/random-id.ts';
import type { Request } from '../../protocol/broker.ts';
import type { TransactionalHolder, TransactionalProducer } from '../../protocol/produce.ts';
import { MAX_EPOCH } from '../../record/sequence.ts';
import { PRODUCERS } from '../../store/schema.ts';
import type { RowRef, Store } from '../../store/store.ts';
import { hasShape } from '../../store/stored-row.ts';
import type { RowShape } from '../../store/stored-row.ts';
import type { RowWrites } from '../partitions/group-commit.ts';

/** `producers` / transactional id: the producer that may use the id. */
export interface ProducerRow extends TransactionalProducer, TransactionalHolder {
  /** Milliseconds since 1970. */
  readonly usedAt: number;
}

/**
 * How often the use of an id is written; the log cleaner deletes an id that is unused for 7 days.
 */
const NOTED_EVERY_MS = 3_600_000;

const TAKEN: ErrorRule = {
  ...FENCED,
  next: 'Close this producer: whoever asked for the id later has it, and goes on with its work.',
};

/**
 * Assigns transactional ids to producers: the latest producer to ask for an id has it, and the
 * earlier producers are fenced.
 */
export class TransactionalIds {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: RandomSource | undefined;

  constructor(store: Store, clock: Clock, random?: RandomSource) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Kafka's `initTransactions`. A caller that has `seen` the id's present holder takes the id, with
   * the next epoch; any other caller gets the present holder. Throws `FENCED` for a former holder
   * that renews the id.
   */
  init({ transactionalId, holder, seen }: Request<'initProducer'>): Promise<TransactionalHolder> {
    return this.#store.update([producerRef(transactionalId)], ([found], write) => {
      // A damaged row counts as none: the new producer id is random, and so fences the old holder.
      const row = isProducer(found) ? found : undefined;
      if (seen?.holder === holder && row?.holder !== holder) throw taken({ transactionalId });
      const isSeen = row === undefined || (row.id === seen?.id && row.epoch === seen.epoch);
      if (!isSeen) return { id: row.id, epoch: row.epoch, holder: row.holder };
      const isNew = row === undefined || row.epoch >= MAX_EPOCH;
      const id = isNew ? randomProducerId(this.#random) : row.id;
      const epoch = isNew ? 0 : row.epoch + 1;
      const next: ProducerRow = { transactionalId, id, epoch, usedAt: this.#clock.now(), holder };
      write.put(PRODUCERS, transactionalId, next);
      return { id, epoch, holder };
    });
  }

  /** Writes the use of the id; `write` throws `FENCED` when another producer has taken the id. */
  fence({ transactionalId, id, epoch }: TransactionalProducer): RowWrites {
    return {
      refs: [producerRef(transactionalId)],
      write: ([found], write) => {
        const row = isProducer(found) ? found : undefined;
        const usedAt = this.#clock.now();
        if (row?.id === id && row.epoch === epoch) {
          if (usedAt - row.usedAt < NOTED_EVERY_MS) return;
          return write.put(PRODUCERS, transactionalId, { ...row, usedAt });
        }
        throw taken({ transactionalId, epoch });
      },
    };
  }
}

const PRODUCER: RowShape<ProducerRow> = {
  transactionalId: 'string',
  holder: 'string',
  id: 'number',
  epoch: 'integer',
  usedAt: 'number',
};

/** Whether a row of the store `producers` has the shape of a producer. */
export function isProducer(row: unknown): row is ProducerRow {
  return hasShape(row, PRODUCER);
}

export function producerRef(transactionalId: string): RowRef<ProducerRow> {
  return { store: PRODUCERS, key: transactionalId };
}

function taken(details: {
  readonly transactionalId: string;
  readonly epoch?: number;
}): TablogError {
  const happened = `this producer does not have the transactional id '${details.transactionalId}' any more`;
  return new TablogError(TAKEN, happened, { details });
}
