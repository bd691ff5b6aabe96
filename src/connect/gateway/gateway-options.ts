import {
  checkEach,
  checkFunction,
  checkInteger,
  checkMethods,
  checkName,
} from '../../base/argument.ts';
import type { ReceivedRecord, ReceivedSource } from '../http/receiver.ts';
import { checkTopics } from '../topic-patterns.ts';
import type { TopicPatterns } from '../topic-patterns.ts';
import type { KafkaClient, KafkaMessage } from './kafka-client.ts';

/** The sender of a request. */
export interface GatewayUser {
  /** A name, by which requests are counted. */
  readonly user: string;
  /** The topics that the user may write to, of those of the gateway. Default: all of them. */
  readonly topics?: TopicPatterns;
  /** The same of topics that the user may mirror. */
  readonly mirrors?: TopicPatterns;
}

export interface KafkaGatewayOptions {
  /** `new Kafka({ brokers })` of KafkaJS, of version 2. Yours to configure: TLS, SASL. */
  readonly kafka: KafkaClient;
  /** The topics of Kafka that may be written to: names, or patterns. They have to exist. */
  readonly topics: TopicPatterns;
  /** The topics that may be mirrored into browsers. Default: none. */
  readonly mirrors?: TopicPatterns;
  /**
   * Says who sends a request, by its headers, or `null` for nobody, who gets 401. 'everybody': whoever
   * reaches the gateway may write to the topics, and counts as one user.
   */
  readonly authorize:
    | 'everybody'
    | ((
        request: Request,
        source: ReceivedSource,
      ) => GatewayUser | null | Promise<GatewayUser | null>);
  /** As of `receiver()`. Default: none, but the own one. */
  readonly origins?: readonly string[];
  /** The most bytes of a body, after it was decompressed. Default 1,000,000, as of the sink. */
  readonly maxBytes?: number;
  /** The most requests of a user in a second. Default 50. */
  readonly maxRequestsPerSecond?: number;
  /**
   * The message of a record, in addition or instead of the default's fields: `partition` above all.
   * Default: key, value, headers and timestamp of the record; the number of the partition is that in
   * the browser, modulo the partitions of Kafka's topic, so that order stays.
   */
  readonly toMessage?: (record: ReceivedRecord, source: ReceivedSource) => Partial<KafkaMessage>;
  /** The compacted topic of the positions, made where it is missing. Default 'tablog-positions'. */
  readonly positionsTopic?: string;
  /** The most sources that have an open producer at a time. Default 200. */
  readonly maxProducers?: number;
  /** The most mirrors that are open at a time, of all users. Default 1,000. */
  readonly maxMirrors?: number;
}

export type CheckedGatewayOptions = Required<Omit<KafkaGatewayOptions, 'toMessage'>> &
  Pick<KafkaGatewayOptions, 'toMessage'>;

/** Throws a `TypeError` or a `RangeError` for a bad option. */
export function checkKafkaGateway(options: KafkaGatewayOptions): CheckedGatewayOptions {
  const checked = checkEach<KafkaGatewayOptions>('kafkaGateway()', options, {
    kafka: (name, kafka) => checkMethods(name, kafka, ['producer', 'consumer', 'admin']),
    topics: checkTopics,
    mirrors: checkTopics,
    authorize: (_, value) => {
      if (value !== 'everybody') {
        checkFunction("authorize must be a function, or 'everybody'", value);
      }
    },
    origins: () => {}, // receiver() checks it, and maxBytes
    maxBytes: () => {},
    maxRequestsPerSecond: (name, value) => checkInteger(name, value, 1),
    toMessage: (_, value) => checkFunction('toMessage must be a function', value),
    positionsTopic: (_, value) => checkName('topic name', value),
    maxProducers: (name, value) => checkInteger(name, value, 1),
    maxMirrors: (name, value) => checkInteger(name, value, 1),
  });
  const { kafka, topics, authorize, ...others } = checked;
  if (kafka === undefined) throw new TypeError('kafkaGateway() needs kafka');
  if (topics === undefined) throw new TypeError('kafkaGateway() needs topics');
  if (authorize === undefined) {
    throw new TypeError("kafkaGateway() needs authorize: a function, or 'everybody'");
  }
  return {
    origins: [],
    mirrors: [],
    maxBytes: 1_000_000,
    maxRequestsPerSecond: 50,
    positionsTopic: 'tablog-positions',
    maxProducers: 200,
    maxMirrors: 1_000,
    ...others,
    kafka,
    topics,
    authorize,
  };
}
