export { natsSink } from './connect/nats/nats-sink.ts';
export type { NatsSinkOptions } from './connect/nats/nats-sink.ts';
export { natsSource } from './connect/nats/nats-source.ts';
export type { NatsSourceOptions } from './connect/nats/nats-source.ts';
