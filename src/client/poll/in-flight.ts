import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { Handed } from '../message/partition-progress.ts';

/** A message or batch that a loop delivered to a group's member. */
interface Delivered {
  readonly reader: PartitionReader;
  readonly handed: Handed;
  /** The reader's epoch at the delivery; a seek changes the reader's. */
  readonly epoch: number;
}

/** The message or batch that a loop delivered last, until the loop asks for the next one. */
export class InFlight {
  #delivered: Delivered | undefined;

  /** Notes a delivery of the records from `offset` up to `next`, which it excludes. */
  begin(reader: PartitionReader, offset: number, next: number): void {
    const handed = reader.progress?.begin(offset, next);
    if (handed !== undefined) this.#delivered = { reader, handed, epoch: reader.epoch };
  }

  /** The loop asks for the next message: the last one is processed. */
  finish(): void {
    const delivered = this.#take();
    if (delivered === undefined) return;
    const { reader, handed } = delivered;
    reader.progress!.end(handed, 'processed');
  }

  /**
   * The loop is left. `commitsItself`: the last message is delivered again, unless it was committed;
   * else it is up to the application to commit it.
   */
  abandon(commitsItself: boolean): void {
    const delivered = this.#take();
    if (delivered === undefined) return;
    const { reader, handed, epoch } = delivered;
    const isDone = !commitsItself || reader.progress!.committed >= handed.next;
    reader.progress!.end(handed, isDone ? 'processed' : 'dropped');
    if (isDone) return;
    const from = Math.max(handed.offset, reader.progress!.committed);
    reader.rewind(epoch, from);
  }

  #take(): Delivered | undefined {
    const delivered = this.#delivered;
    this.#delivered = undefined;
    return delivered;
  }
}
