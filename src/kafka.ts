export { kafkaRestSink } from './connect/kafka/kafka-rest-sink.ts';
export type { KafkaRestSinkOptions } from './connect/kafka/kafka-rest-sink.ts';
export type { EnvelopeRange, KafkaEnvelope } from './connect/kafka/kafka-envelope.ts';
