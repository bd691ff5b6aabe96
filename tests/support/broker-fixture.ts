import { TablogError } from '../../src/base/error.ts';
import { LogBroker } from '../../src/broker/log-broker.ts';
import type { Clock } from '../../src/platform/clock.ts';
import type { Liveness } from '../../src/platform/locks/liveness.ts';
import type {
  FetchPartition,
  FetchRequest,
  FetchedPartition,
  OffsetSpec,
} from '../../src/protocol/fetch.ts';
import type { Append, AppendResult } from '../../src/protocol/produce.ts';
import type { TopicConfig, TopicInfo } from '../../src/protocol/topic.ts';
import { fromErrorData } from '../../src/protocol/error-data.ts';
import { BatchWriter } from '../../src/record/batch-writer.ts';
import type { Durability, Store } from '../../src/store/store.ts';
import { readRecords } from './batches.ts';
import { FaultStore } from './fault-store.ts';

/** The answer of a fetch for one partition, without an error. */
export type Found = Exclude<FetchedPartition, { error: unknown }>;

export interface Place {
  readonly partition?: number;
}

export interface FetchOptions extends Place {
  readonly offset?: number;
  readonly maxBytes?: number;
  readonly maxWaitMs?: number;
  readonly clientId?: string;
  readonly fetchId?: number;
}

/** Opens the store of a broker. */
export type OpenStore = (options: { readonly mustExist: boolean }) => Promise<Store>;

interface TestBrokerOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly openStore: OpenStore;
  readonly liveness?: Liveness;
  /** The list to which every new connection is added. Default: a new list. */
  readonly connections?: FaultStore[];
}

/** A broker with short verbs for the common steps of tests. */
export class TestBroker {
  readonly broker: LogBroker;
  /** The broker's connections to the store, the newest last; empty before the first call. */
  readonly connections: FaultStore[];
  #fetches = 0;

  constructor({ openStore, connections = [], ...options }: TestBrokerOptions) {
    this.connections = connections;
    const connect: OpenStore = async (how) => {
      const opened = await openStore(how);
      const connection = opened instanceof FaultStore ? opened : new FaultStore(opened);
      connections.push(connection);
      return connection;
    };
    this.broker = new LogBroker({ ...options, openStore: connect });
  }

  get connection(): FaultStore {
    return this.connections.at(-1)!;
  }

  async create(
    name: string,
    partitions = 1,
    config: Partial<TopicConfig> = {},
  ): Promise<TopicInfo> {
    const [info] = await this.broker.createTopics([{ name, partitions, config }]);
    return info!;
  }

  /** Appends a batch of records with these values and resolves with its base offset. */
  async append(topic: TopicInfo, ...values: string[]): Promise<number> {
    return baseOffset(await this.produce(topic, batch(...values)));
  }

  async produce(
    { id }: TopicInfo,
    bytes: ArrayBuffer,
    options: Place & { durability?: Durability; compression?: Append['compression'] } = {},
  ): Promise<AppendResult> {
    const { partition = 0, durability = 'relaxed', compression = 'none' } = options;
    const append = { topicId: id, partition, batch: bytes, compression };
    return (await this.broker.produce({ appends: [append], durability }))[0]!;
  }

  /**
   * Fetches one partition, by default without a wait; `undefined` when there are no new records.
   */
  async fetch(topic: TopicInfo, options: FetchOptions = {}): Promise<FetchedPartition | undefined> {
    return (await this.fetchAll([want(topic, options)], options))[0];
  }

  fetchAll(
    partitions: readonly FetchPartition[],
    options: Partial<FetchRequest> = {},
  ): Promise<FetchedPartition[]> {
    const { maxWaitMs = 0, clientId = 'client', fetchId = ++this.#fetches } = options;
    return this.broker.fetch({ clientId, fetchId, maxWaitMs, partitions });
  }

  /** The values of a partition from `offset` to its end. Throws the error of a failed fetch. */
  async readAll(topic: TopicInfo, options: FetchOptions = {}): Promise<string[]> {
    const values: string[] = [];
    let { offset = 0 } = options;
    for (;;) {
      const fetched = await this.fetch(topic, { ...options, offset });
      if (fetched === undefined) return values;
      values.push(...valuesOf(fetched));
      offset = found(fetched).nextOffset;
    }
  }

  async offset({ id }: TopicInfo, at: OffsetSpec, { partition = 0 }: Place = {}): Promise<number> {
    return (await this.broker.listOffsets([{ topicId: id, partition, at }]))[0]!;
  }
}

export function want({ id }: TopicInfo, options: FetchOptions = {}): FetchPartition {
  const { partition = 0, offset = 0, maxBytes = 1024 * 1024 } = options;
  return { topicId: id, partition, offset, maxBytes };
}

/** The request to store one batch, uncompressed. */
export function appendOf({ id }: TopicInfo, bytes: ArrayBuffer, partition = 0): Append {
  return { topicId: id, partition, batch: bytes, compression: 'none' };
}

/** A batch of records with these values and the timestamp 1,000. */
export function batch(...values: string[]): ArrayBuffer {
  return timedBatch(...values.map((value) => [1_000, value] as const));
}

export function timedBatch(
  ...records: (readonly [timestamp: number, value: string])[]
): ArrayBuffer {
  const writer = new BatchWriter();
  for (const [timestamp, value] of records) {
    writer.append({ key: null, value, headers: [], timestamp });
  }
  return writer.finish().buffer;
}

/** The base offset of a stored batch. Throws the error of a failed append. */
export function baseOffset(result: AppendResult): number {
  if ('error' in result) throw fromErrorData(result.error);
  return result.baseOffset;
}

/** The fetched partition. Throws the error of a failed fetch, or when the fetch found nothing. */
export function found(fetched: FetchedPartition | undefined): Found {
  if (fetched === undefined) throw new Error('the fetch found nothing');
  if ('error' in fetched) throw fromErrorData(fetched.error);
  return fetched;
}

export function valuesOf(fetched: FetchedPartition | undefined): string[] {
  return recordsOf(fetched).map(({ value }) => Buffer.from(value ?? '', 'hex').toString());
}

export function recordsOf(fetched: FetchedPartition | undefined): ReturnType<typeof readRecords> {
  return found(fetched).segments.flatMap((segment) => readRecords(new Uint8Array(segment)));
}

/** The reason of a promise, which must reject with a `TablogError`. */
export async function errorOf(promise: Promise<unknown>): Promise<TablogError> {
  const settled = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in settled && settled.error instanceof TablogError) return settled.error;
  throw new Error('it did not reject with a TablogError', { cause: settled });
}
