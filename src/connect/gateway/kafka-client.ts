/** The part that is used of KafkaJS's `Kafka`, https://kafka.js.org, of version 2. */
export interface KafkaClient {
  producer(options: {
    readonly transactionalId: string;
    readonly idempotent: boolean;
    readonly maxInFlightRequests: number;
    readonly transactionTimeout: number;
    readonly allowAutoTopicCreation: boolean;
    readonly retry: KafkaRetry;
  }): KafkaProducer;
  consumer(options: {
    readonly groupId: string;
    readonly readUncommitted: boolean;
    readonly allowAutoTopicCreation: boolean;
  }): KafkaConsumer;
  admin(): KafkaAdmin;
}

export interface KafkaRetry {
  readonly initialRetryTime: number;
  readonly multiplier: number;
  readonly maxRetryTime: number;
  readonly retries: number;
}

export type KafkaHeaders = Record<
  string,
  Uint8Array | string | (Uint8Array | string)[] | undefined
>;

export interface KafkaMessage {
  readonly key?: Uint8Array | string | null;
  readonly value: Uint8Array | string | null;
  readonly headers?: KafkaHeaders;
  readonly partition?: number;
  /** Milliseconds since 1970, as text. */
  readonly timestamp?: string;
}

/** A topic, and messages for it. */
export interface TopicMessages {
  readonly topic: string;
  readonly messages: KafkaMessage[];
}

/** Offsets of a group. */
export interface KafkaOffsets {
  readonly consumerGroupId: string;
  readonly topics: { topic: string; partitions: { partition: number; offset: string }[] }[];
}

export interface KafkaTransaction {
  /** Resolves to the partitions that were written to. */
  sendBatch(batch: {
    readonly topicMessages?: { topic: string; messages: KafkaMessage[] }[];
  }): Promise<readonly { readonly topicName: string; readonly partition: number }[]>;
  sendOffsets(offsets: KafkaOffsets): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

export interface KafkaProducer {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  transaction(): Promise<KafkaTransaction>;
}

/** A message as it was read. */
export interface StoredMessage {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestamp: string;
  readonly offset: string;
  readonly headers?: KafkaHeaders | undefined;
}

/** A message as it was fetched: of any transaction, or the control record that ends one. */
export interface FetchedMessage extends StoredMessage {
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
}

export interface StoredMessages {
  readonly partition: number;
  readonly highWatermark: string;
  readonly messages: readonly StoredMessage[];
  /** The messages before the filter. A field of KafkaJS that its documents do not name. */
  readonly messagesWithinOffset?: readonly FetchedMessage[];
}

export interface KafkaConsumer {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  subscribe(options: { readonly topics: string[]; readonly fromBeginning: boolean }): Promise<void>;
  run(options: {
    readonly autoCommit: boolean;
    readonly eachBatch: (payload: { readonly batch: StoredMessages }) => Promise<void>;
  }): Promise<void>;
  seek(place: { topic: string; partition: number; offset: string }): void;
  on(
    event: 'consumer.crash',
    listener: (event: { payload: { readonly error: Error } }) => void,
  ): unknown;
  /** Told of each batch; one of control records alone has no messages, and `eachBatch` does not get it. */
  on(
    event: 'consumer.end_batch_process',
    listener: (event: {
      payload: {
        readonly batchSize: number;
        readonly firstOffset: string | null;
        readonly lastOffset: string;
      };
    }) => void,
  ): unknown;
}

export interface KafkaAdmin {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  createTopics(options: {
    readonly waitForLeaders?: boolean;
    readonly topics: {
      topic: string;
      numPartitions: number;
      configEntries: { name: string; value: string }[];
    }[];
  }): Promise<boolean>;
  fetchTopicMetadata(options: { readonly topics: string[] }): Promise<{
    topics: { partitions: unknown[] }[];
  }>;
  fetchTopicOffsets(topic: string): Promise<{ partition: number; high: string }[]>;
  fetchOffsets(options: {
    readonly groupId: string;
    readonly topics: string[];
  }): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>;
  listTopics(): Promise<string[]>;
  describeCluster(): Promise<{ clusterId: string }>;
}

/** The name that Kafka's protocol has for a failure, as `MESSAGE_TOO_LARGE`; `undefined`: it is none of Kafka's. */
export function kafkaErrorType(error: unknown): string | undefined {
  let each = error;
  for (let depth = 0; depth < 5 && each instanceof Error; depth++) {
    const { type } = each as { readonly type?: unknown };
    if (typeof type === 'string') return type;
    each = each.cause; // of retries that were given up, the last failure
  }
  return undefined;
}
