import { mistake } from '../../base/argument.ts';
import { isPromise } from '../../base/brand.ts';
import type { Header } from '../../record/record-cursor.ts';

/**
 * Tells a serde what it is called for. Valid during the call alone: tablog uses the object again
 * for the next record.
 */
export interface SerdeContext {
  readonly topic: string;
  readonly field: 'key' | 'value';
  /**
   * Puts the call off until `promise` has resolved: a schema that has to be looked up, a key that
   * has to be unwrapped. It throws, so that nothing after it runs, and the same call is made again
   * then:
   *
   *     const schema = schemas.get(id) ?? context.waitFor(load(id));
   *
   * (As React's `use` does with a promise. A method `prepare` of the serde, to be called before
   * `encode` and `decode`, would cost a call a record, would have to find the schema's id a second
   * time, and would be lost in a serde that wraps another and does not know of it. Here a wrapper
   * passes the context on, and what it catches or returns meanwhile does not count.)
   *
   * Reading: the record stays the next one of its partition, and the other partitions go on. A
   * seek, a rebalance and `close()` end the wait. Where the promise rejects, the record is decoded
   * anew after 0.1 s, then 0.2 s and so on up to 1 s, for as long as it takes: a registry that is
   * away must not have records skipped. An error with `retriable: false` says that another look-up
   * would fail alike, as a `TablogError` does that does not pass. That, and a hundredth wait for
   * one record, is a decoding error: `SERDE`, and `onDecodeError` decides.
   *
   * Sending: the record waits, and later records of the same topic behind it; other topics go on.
   * The value is encoded when the promise has resolved, and must not be changed before. Where the
   * promise rejects, or the wait takes longer than the producer's `deliveryTimeoutMs`, `send`
   * rejects with `SERDE`, and nothing is stored. A record that waits when the page is left is not
   * sent. In a transaction the waits end within `transactionTimeoutMs`, after the function has
   * returned.
   *
   * In `table()`, `get` and `has` throw where the key serde waits.
   *
   * Throws a `TypeError` for what is no promise.
   */
  waitFor(promise: PromiseLike<unknown>): never;
}

/** What a serde encodes for. */
export interface EncodeContext extends SerdeContext {
  /** The record's headers so far, in order; those set for the key are there for the value. */
  readonly headers: readonly HeaderToSend[];
  /**
   * Gives the record a header (Kafka's `Headers.add`), as the id of a schema; it takes the place of
   * those with the same name, so that a record that is sent on names the schema it has now. Text is
   * written as UTF-8. Throws a `TypeError` for another name or value.
   */
  setHeader(name: string, value: string | Uint8Array | null): void;
}

/** What a serde decodes from. */
export interface DecodeContext extends SerdeContext {
  /** The record's headers, in order; a name may come twice. */
  readonly headers: readonly Header[];
}

/** A header of a record to be sent. */
export type HeaderToSend = readonly [name: string, value: string | Uint8Array | null];

/** A call of a serde was put off until the promise has resolved. Thrown through the serde. */
export class SerdeWait extends Error {
  readonly topic: string;
  readonly field: 'key' | 'value';
  readonly promise: PromiseLike<unknown>;

  constructor(topic: string, field: 'key' | 'value', promise: PromiseLike<unknown>) {
    super(`the ${field} serde of '${topic}' waits for what it has to look up`);
    this.topic = topic;
    this.field = field;
    this.promise = promise;
  }
}

/** The calls of a record's serdes, of which each has the object as its context. */
export class SerdeCalls implements SerdeContext {
  #topic: string;
  #field: 'key' | 'value' = 'key';
  #wait: SerdeWait | undefined;

  constructor(topic: string) {
    this.#topic = topic;
  }

  get topic(): string {
    return this.#topic;
  }

  get field(): 'key' | 'value' {
    return this.#field;
  }

  /**
   * Set where the call was put off, whatever the serde threw or returned after that: it may have
   * caught what `waitFor` throws.
   */
  get wait(): SerdeWait | undefined {
    return this.#wait;
  }

  /** Works without `this`: a serde may take the context apart. */
  readonly waitFor = (promise: PromiseLike<unknown>): never => {
    if (!isPromise(promise)) throw mistake('waitFor() takes a promise', promise);
    throw (this.#wait = new SerdeWait(this.#topic, this.#field, promise));
  };

  /** The next call is for `field` of the same record. */
  begin(field: 'key' | 'value'): void {
    this.#field = field;
  }

  /** The next calls are for another record of this topic. */
  protected reset(topic: string): void {
    this.#topic = topic;
    this.#field = 'key';
    this.#wait = undefined;
  }
}
