import type { Consumer } from '../client/consumer/consumer.ts';
import type { Log } from '../client/log.ts';
import type { Message, MessageBatch } from '../client/message/message.ts';
import { abortable } from '../base/abortable.ts';
import { show } from '../base/show.ts';
import type { Sink, SinkContext, SinkRecord, SinkSource } from './sink/sink.ts';
import { SinkError, toSinkError } from './sink/sink-error.ts';

export interface SinkTaskOptions {
  readonly source: SinkSource;
  readonly log: Log;
  readonly sink: Sink;
  readonly consumer: Consumer<string>;
  readonly transform: (record: SinkRecord) => readonly SinkRecord[];
  /** Settles a record that the target refuses for good; throws where the connector is to stop. */
  readonly onRefused: (message: Message, error: SinkError) => Promise<void>;
  /** Called when the target has records. */
  readonly onDelivered: (records: number) => void;
  /** Called where the log no longer has so many offsets that the target has not. */
  readonly onLost: (offsets: number) => void;
}

/** A message, with the records for the target that are made of it. */
interface Outgoing {
  readonly message: Message;
  readonly records: readonly SinkRecord[];
  /** A transform threw: the message is refused. */
  readonly failure?: SinkError;
}

/**
 * Feeds one partition to a sink (Kafka Connect's `WorkerSinkTask`), from where the target says that it
 * stands. The position is asked for anew after every failure, because nobody knows then what the
 * target has.
 */
export class SinkTask {
  readonly #options: SinkTaskOptions;
  /** Where the target stands; `undefined`: it has to be asked. */
  #position: number | undefined;
  /**
   * The position that the consumer was moved back to. What is missing in a batch that came since then
   * exists no more.
   */
  #soughtBack: number | undefined;
  /** The most records in one `put`, while a refused one is looked for. */
  #most = Infinity;
  /** The offsets that were refused, and are settled. */
  readonly #refused = new Set<number>();

  /** The calls of the sink's `position` that are under way. */
  readonly #asked = new Set<Promise<unknown>>();

  constructor(options: SinkTaskOptions) {
    this.#options = options;
  }

  get position(): number | undefined {
    return this.#position;
  }

  /**
   * Delivers the batch as far as the target has not got it. Resolves to whether the consumer was moved
   * instead, to where the target stands.
   */
  async deliver(batch: MessageBatch, context: SinkContext): Promise<boolean> {
    // A batch that was in hand before the consumer was moved says nothing of what is missing.
    const soughtBack = this.#soughtBack;
    this.#position ??= (await this.#ask(batch.firstOffset, context)) ?? batch.firstOffset;
    const to = batch.lastOffset + 1;
    const isBehind = this.#position < batch.firstOffset;
    if ((isBehind && soughtBack !== this.#position) || this.#position > to) {
      await this.#moveConsumer(this.#position, !isBehind);
      return true;
    }
    if (isBehind) await this.#noteLost(this.#position);
    // A sink may keep what it reads, such as the last sequence of a subject. What `align` has read before
    // a put and gets after it would fence the next put.
    if (this.#asked.size > 0) await abortable(context.signal, Promise.allSettled(this.#asked));
    const outgoing = this.#outgoing(batch.messages, this.#position);
    for (
      let position: number | undefined = this.#position;
      position < to;
      position = this.#position
    ) {
      context.signal.throwIfAborted(); // the partition is another tab's now
      await this.#putSome(outgoing, to, context);
    }
    return false;
  }

  /**
   * Asks the target where it stands, and moves the consumer back where the target has less than this
   * tab thinks. Does nothing where a batch has asked already, or the target cannot tell.
   */
  async align(context: SinkContext): Promise<void> {
    const { consumer, source, sink } = this.#options;
    if (sink.position === undefined || this.#position !== undefined) return;
    const next = consumer.position(source);
    const position = await this.#ask(next, context);
    // Of a target that cannot tell, what follows is the batch in hand, which is to be put.
    const isMoot = this.#position !== undefined || context.signal.aborted;
    if (position === undefined || isMoot) return;
    this.#position = position;
    if (position === next || this.#soughtBack === position) return;
    await this.#moveConsumer(position, position > next);
  }

  /** `isDone`: what is passed over is what the target has. */
  async #moveConsumer(position: number, isDone: boolean): Promise<void> {
    const { consumer, source } = this.#options;
    await consumer.seek(position, source);
    const { topic, partition } = source;
    if (isDone) await consumer.commit([{ topic, partition, offset: position }]);
    else this.#soughtBack = position;
  }

  /** The position of the target; `undefined`: it cannot tell. `next`: what this tab would put next. */
  async #ask(next: number, context: SinkContext): Promise<number | undefined> {
    const { sink, source } = this.#options;
    let told: unknown;
    try {
      const call = Promise.resolve(sink.position?.(source, { ...context, next }));
      this.#asked.add(call);
      told = await call.finally(() => this.#asked.delete(call));
    } catch (error) {
      const failure = toSinkError(error);
      // Nothing was put that could be refused.
      if (failure.kind !== 'refused') throw failure;
      throw new SinkError('retry', failure.message, { cause: failure });
    }
    if (told === undefined) return undefined;
    const position = told ?? 0;
    if (typeof position !== 'number' || !Number.isSafeInteger(position) || position < 0) {
      const rule = 'a position is an offset, null or undefined';
      throw new SinkError('retry', `${rule}, and the target tells ${show(told)}`);
    }
    if (position > next) await this.#mustBeStored(position);
    return position;
  }

  /** Throws where the target says that it has records which the log has not. */
  async #mustBeStored(position: number): Promise<void> {
    const { log, source } = this.#options;
    const { topic, partition } = source;
    const [end] = await log.admin.listOffsets([{ topic, partition, at: 'latest' }]);
    if (position <= end!.offset) return;
    throw new SinkError(
      'fatal',
      `the target has ${topic} ${partition} up to ${position}, and the log ends at ${end!.offset}: ` +
        'the log has lost records that the target has. Create the topic anew, which the target knows by another id',
    );
  }

  /** Tells of records that retention or `deleteRecords` has removed before the target got them. */
  async #noteLost(position: number): Promise<void> {
    const { log, source, onLost } = this.#options;
    const { topic, partition } = source;
    const [start] = await log.admin.listOffsets([{ topic, partition, at: 'earliest' }]);
    if (start!.offset > position) onLost(start!.offset - position);
  }

  /** Puts what is left, or as much as may be put at once. */
  async #putSome(outgoing: readonly Outgoing[], end: number, context: SinkContext): Promise<void> {
    const { sink, source, onDelivered } = this.#options;
    const from = this.#position!;
    const left = outgoing.filter(
      ({ message: { offset } }) => offset >= from && !this.#refused.has(offset),
    );
    const [first] = left;
    if (first?.failure !== undefined) return this.#settle(first.message, first.failure);
    const failing = left.findIndex(({ failure }) => failure !== undefined);
    const some = left.slice(0, Math.min(this.#most, failing < 0 ? Infinity : failing));
    const to = left[some.length]?.message.offset ?? end;
    const records = some.flatMap((each) => each.records);
    try {
      // Where the target has no position, there is nothing to be told.
      const isNothing = records.length === 0 && sink.position === undefined;
      const next = isNothing
        ? to
        : ((await sink.put({ source, from, to, records }, context)) ?? to);
      if (next > to) await this.#mustBeStored(next);
      this.#moveTo(next, from);
      onDelivered(records.filter(({ offset }) => offset < next).length);
      this.#most *= 2;
    } catch (error) {
      const failure = toSinkError(error);
      if (failure.kind === 'refused' && !context.signal.aborted && some.length > 0) {
        return this.#settleRefused(some, failure);
      }
      this.#position = undefined;
      // A range without records only moves the position: there is no record to refuse.
      if (failure.kind !== 'refused') throw failure;
      throw new SinkError('retry', failure.message, { cause: failure });
    }
  }

  #moveTo(next: unknown, from: number): void {
    if (typeof next === 'number' && Number.isSafeInteger(next) && next > from) {
      this.#position = next;
      this.#soughtBack = undefined; // another rollback of the target is another one
      return;
    }
    if (typeof next !== 'number') {
      throw new SinkError(
        'fatal',
        `put() returns the position of the target or nothing, and returned ${show(next)}`,
      );
    }
    const what = next < from ? 'has gone back' : 'does not move';
    throw new SinkError('retry', `the target's position ${what}: it was ${from}, and is ${next}`);
  }

  /** Finds the record that the target refuses: it says so, or is asked for half as many. */
  async #settleRefused(some: readonly Outgoing[], failure: SinkError): Promise<void> {
    const named = some.find(({ message }) => message.offset === failure.offset);
    const refused = named ?? (some.length === 1 ? some[0] : undefined);
    if (refused !== undefined) return this.#settle(refused.message, failure);
    this.#most = Math.max(Math.floor(some.length / 2), 1);
  }

  async #settle(message: Message, failure: SinkError): Promise<void> {
    await this.#options.onRefused(message, failure);
    this.#refused.add(message.offset);
  }

  #outgoing(messages: readonly Message[], from: number): Outgoing[] {
    for (const offset of this.#refused) if (offset < from) this.#refused.delete(offset);
    return messages
      .filter(({ offset }) => offset >= from)
      .map((message) => this.#transformed(message))
      .filter(({ records, failure }) => records.length > 0 || failure !== undefined);
  }

  #transformed(message: Message): Outgoing {
    const { id, topic, offset, timestamp, key, value, headers } = message;
    const record: SinkRecord = { id, topic, offset, timestamp, key, value, headers };
    try {
      const records = this.#options.transform(record);
      // Each has an id of its own, by which a target can know it again.
      const numbered = records.map((each, i) => (i === 0 ? each : { ...each, id: `${id}.${i}` }));
      return { message, records: numbered };
    } catch (error) {
      const what = `a transform failed: ${toSinkError(error).message}`;
      return { message, records: [], failure: new SinkError('refused', what, { cause: error }) };
    }
  }
}
