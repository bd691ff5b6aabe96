import type { FetchedMessage } from './kafka-client.ts';

/** The type in the key of a control record: https://kafka.apache.org/documentation/#controlbatch */
const COMMIT = 1;

/** The text of a key or a value; null is the empty text. */
export function textOf(bytes: Uint8Array | null): string {
  return new TextDecoder().decode(bytes ?? new Uint8Array());
}

/**
 * Tells the committed messages of a partition from the others, by the control records that end transactions.
 * KafkaJS's own filter takes some of transactions that were aborted side by side for committed
 * (https://github.com/tulios/kafkajs/blob/v2.2.4/src/consumer/filterAbortedMessages.js).
 */
export class TransactionLog {
  /** The messages of transactions that have not ended yet, by producer. */
  readonly #open = new Map<string, FetchedMessage[]>();

  /** The offset of the first message that is not decided; `undefined`: there is none. */
  get firstOpen(): number | undefined {
    const firsts = [...this.#open.values()].map(([first]) => Number(first!.offset));
    return firsts.length === 0 ? undefined : Math.min(...firsts);
  }

  /** Whether a message of this key is not decided. */
  isOpen(key: string): boolean {
    return [...this.#open.values()].some((messages) =>
      messages.some((message) => textOf(message.key) === key),
    );
  }

  /** Takes what was fetched, in order; returns what is committed by that, each transaction at its end. */
  take(fetched: readonly FetchedMessage[]): readonly FetchedMessage[] {
    return fetched.flatMap((message) => {
      const { producerId, inTransaction } = message.batchContext;
      const messages = this.#open.get(producerId) ?? [];
      if (message.isControlRecord) {
        this.#open.delete(producerId);
        return message.key?.[3] === COMMIT ? messages : [];
      }
      if (!inTransaction) return [message];
      this.#open.set(producerId, [...messages, message]);
      return [];
    });
  }

  /** Forgets what is not decided: it is fetched again from `firstOpen` on. */
  rewind(): void {
    this.#open.clear();
  }
}
