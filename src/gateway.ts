export { kafkaGateway } from './connect/gateway/kafka-gateway.ts';
export type { KafkaGateway } from './connect/gateway/kafka-gateway.ts';
export type { GatewayUser, KafkaGatewayOptions } from './connect/gateway/gateway-options.ts';
export type { MirrorSocket } from './connect/gateway/kafka-mirror.ts';
export type { KafkaClient } from './connect/gateway/kafka-client.ts';
export { nodeHandler } from './connect/http/node-handler.ts';
