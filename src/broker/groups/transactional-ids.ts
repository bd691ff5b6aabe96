import type { Clock } from '../../platform/clock.ts';
import { FENCED } from '../../base/error-rules.ts';
import type { ErrorRule } from '../../base/error-rule.ts';
import { TablogError } from '../../base/error.ts';
import { randomProducerId } from '../../platform/random-id.ts';
import type { Request } from '../../protocol/broker.ts';
import type { TransactionalHolder, TransactionalProducer } from '../../protocol/produce.ts';
import { MAX_EPOCH } from '../../record/sequence.ts';
import { PRODUCERS } from '../../store/schema.ts';
import type { RowRef, Store } from '../../store/store.ts';
import { hasShape } from '../../store/stored-row.ts';
import type { RowShape } from '../../store/stored-row.ts';
import type { RowWrites } from '../partitions/group-commit.ts';

/** `producers` / transactional id: who may use it. */
export interface ProducerRow extends TransactionalProducer, TransactionalHolder {
  /** Milliseconds since 1970. */
  readonly usedAt: number;
}

/** An hour, of the 7 days after which an id that nobody uses is forgotten. */
const NOTED_EVERY_MS = 3_600_000;

const TAKEN: ErrorRule = {
  ...FENCED,
  next: 'Close this producer: whoever asked for the id later has it, and goes on with its work.',
};

/** Hands out transactional ids: whoever asks last has it, and those before are fenced. */
export class TransactionalIds {
  readonly #store: Store;
  readonly #clock: Clock;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Kafka's `initTransactions`: the next epoch of the id, where whoever has it is known to the caller;
   * else who has it. Throws `FENCED` for who only renews, and has lost it.
   */
  init({ transactionalId, holder, seen }: Request<'initProducer'>): Promise<TransactionalHolder> {
    return this.#store.update([producerRef(transactionalId)], ([found], write) => {
      // A damaged row counts as none: the new id, a random one, fences whoever had the old one.
      const row = isProducer(found) ? found : undefined;
      if (seen?.holder === holder && row?.holder !== holder) throw taken({ transactionalId });
      const isSeen = row === undefined || (row.id === seen?.id && row.epoch === seen.epoch);
      if (!isSeen) return { id: row.id, epoch: row.epoch, holder: row.holder };
      const isNew = row === undefined || row.epoch >= MAX_EPOCH;
      const id = isNew ? randomProducerId() : row.id;
      const epoch = isNew ? 0 : row.epoch + 1;
      const next: ProducerRow = { transactionalId, id, epoch, usedAt: this.#clock.now(), holder };
      write.put(PRODUCERS, transactionalId, next);
      return { id, epoch, holder };
    });
  }

  /** Notes that the id is used; throws `FENCED` where somebody else has it by now. */
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

/** Whether a row of the store `producers` is a producer. */
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
