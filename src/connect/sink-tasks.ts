import type { Consumer } from '../client/consumer/consumer.ts';
import type { AssignedPartition } from '../client/fetch/consumer-events.ts';
import { keyOf } from './group-name.ts';
import { SinkTask } from './sink-task.ts';
import type { SinkTaskOptions } from './sink-task.ts';

/** What the tasks of a connector have in common. */
interface SinkTasksOptions extends Omit<SinkTaskOptions, 'source' | 'consumer'> {
  readonly connector: string;
}

/** A batch that the target has not got. */
interface InHand extends AssignedPartition {
  readonly offset: number;
  /** Whether it waits for its next attempt. */
  readonly isWaiting: boolean;
}

/** The tasks of a connector, one for each partition of this tab. */
export class SinkTasks {
  readonly #options: SinkTasksOptions;
  readonly #tasks = new Map<string, SinkTask>();
  readonly #inHand = new Map<string, InHand>();

  constructor(options: SinkTasksOptions) {
    this.#options = options;
  }

  get hasInHand(): boolean {
    return this.#inHand.size > 0;
  }

  /** The task of a partition, which is made at the first call. */
  async taskOf(
    consumer: Consumer<string>,
    { topic, partition }: AssignedPartition,
  ): Promise<SinkTask> {
    const key = keyOf({ topic, partition });
    const there = this.#tasks.get(key);
    if (there !== undefined) return there;
    const { connector, ...options } = this.#options;
    const [{ id: topicId }] = await options.log.admin.describeTopics([topic]);
    const made = this.#tasks.get(key);
    if (made !== undefined) return made; // by another call meanwhile
    const id = `${connector}/${topicId}/${partition}`;
    const source = { id, connector, log: options.log.name, topic, partition };
    const task = new SinkTask({ ...options, source, consumer });
    this.#tasks.set(key, task);
    return task;
  }

  /** Notes a batch that is being delivered, or that waits. */
  waits(batch: AssignedPartition & { readonly firstOffset: number }, isWaiting: boolean): void {
    const { topic, partition, firstOffset: offset } = batch;
    this.#inHand.set(keyOf(batch), { topic, partition, offset, isWaiting });
  }

  delivered(place: AssignedPartition): void {
    this.#inHand.delete(keyOf(place));
  }

  /** The batches that wait; each is then no longer noted. */
  waiting(): readonly Omit<InHand, 'isWaiting'>[] {
    return [...this.#inHand].flatMap(([key, { isWaiting, ...place }]) => {
      if (!isWaiting) return [];
      this.#inHand.delete(key);
      return [place];
    });
  }

  /** Where the target has told that it stands; `undefined`: it has to be asked. */
  told(place: AssignedPartition): number | undefined {
    return this.#tasks.get(keyOf(place))?.position;
  }

  /** The next offset for the target, as far as is known. */
  positionOf(place: AssignedPartition): number | undefined {
    return this.told(place) ?? this.#inHand.get(keyOf(place))?.offset;
  }

  /** Ends the task of a partition that this tab gives up. */
  forget(place: AssignedPartition): void {
    this.#tasks.delete(keyOf(place));
    this.#inHand.delete(keyOf(place));
  }

  clear(): void {
    this.#tasks.clear();
    this.#inHand.clear();
  }
}
