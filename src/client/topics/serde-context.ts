import { mistake } from '../../base/argument.ts';
import { isPromise } from '../../base/brand.ts';
import type { Header } from '../../record/record-cursor.ts';

/**
 * The context of a call of a serde: the topic and the field of the record. The object is valid
 * during the call only, because tablog reuses the object for the next record.
 */
export interface SerdeContext {
  readonly topic: string;
  readonly field: 'key' | 'value';
  /**
   * Postpones the call of the serde until `promise` has resolved, as for a schema from a registry
   * or a key to unwrap. `waitFor` throws, so the serde's code after it does not run. When the
   * promise has resolved, tablog calls the serde again for the same record:
   *
   *     const schema = schemas.get(id) ?? context.waitFor(load(id));
   *
   * React's `use` treats promises in the same way. The alternative, a method `prepare` of the serde
   * that runs before `encode` and `decode`, costs a call for each record, has to find the schema's
   * id twice, and is lost in a wrapper serde that does not forward the method. With `waitFor` a
   * wrapper passes the context on; the wait counts even where the wrapper catches the error and
   * returns a value.
   *
   * Reading: the record stays the next record of its partition, and the other partitions go on. A
   * seek, a rebalance and `close()` end the wait. Where the promise rejects, the record is decoded
   * again after 0.1 s, then 0.2 s, and so on up to 1 s, without a limit: a registry that is down
   * must not cause skipped records. An error with `retriable: false`, as a `TablogError` of a
   * lasting failure has, means that another look-up would fail as well. Such an error, and the
   * hundredth wait for one record, is a decoding error: `SERDE`, and `onDecodeError` decides.
   *
   * Sending: the record waits, and later records of the same topic wait behind the record; other
   * topics go on. The value is encoded when the promise has resolved, so the application must not
   * change the value before. Where the promise rejects, or the wait takes longer than the
   * producer's `deliveryTimeoutMs`, `send` rejects with `SERDE`, and nothing is stored. A record
   * that waits when the page is left is not sent. In a transaction the waits end within
   * `transactionTimeoutMs`, after the function has returned.
   *
   * In `table()`, `get` and `has` throw where the key serde waits.
   *
   * Throws a `TypeError` for an argument that is no promise.
   */
  waitFor(promise: PromiseLike<unknown>): never;
}

/** The context of `encode`. */
export interface EncodeContext extends SerdeContext {
  /**
   * The record's headers so far, in order. The context of the value includes the headers that the
   * key serde has set.
   */
  readonly headers: readonly HeaderToSend[];
  /**
   * Sets a header of the record, such as the id of a schema. The header replaces all headers with
   * the same name, unlike Kafka's `Headers.add`, so that a forwarded record names only its current
   * schema. Text is written as UTF-8. Throws a `TypeError` for a name that is no string, and for a
   * value of another type.
   */
  setHeader(name: string, value: string | Uint8Array | null): void;
}

/** The context of `decode`. */
export interface DecodeContext extends SerdeContext {
  /** The record's headers, in order; a name may come twice. */
  readonly headers: readonly Header[];
}

/** A header of a record to be sent. */
export type HeaderToSend = readonly [name: string, value: string | Uint8Array | null];

/**
 * The error that `waitFor` throws through the serde: the call is postponed until the promise has
 * resolved.
 */
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

/**
 * The context of the calls of serdes, for one record after the other. The object tracks the current
 * topic and field, and the wait of the current record.
 */
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
   * The wait of the current record; `undefined` where no serde has called `waitFor`. The field is
   * set even where the serde catches the error of `waitFor` and returns a value.
   */
  get wait(): SerdeWait | undefined {
    return this.#wait;
  }

  /** Works without `this`, because a serde may destructure the context. */
  readonly waitFor = (promise: PromiseLike<unknown>): never => {
    if (!isPromise(promise)) throw mistake('waitFor() takes a promise', promise);
    throw (this.#wait = new SerdeWait(this.#topic, this.#field, promise));
  };

  /** Moves the context to `field` of the same record. */
  begin(field: 'key' | 'value'): void {
    this.#field = field;
  }

  /** Moves the context to the next record, of `topic`. */
  protected reset(topic: string): void {
    this.#topic = topic;
    this.#field = 'key';
    this.#wait = undefined;
  }
}
