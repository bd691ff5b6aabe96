// A gateway to Kafka at BROKER.
import { createServer } from 'node:http';
import { Kafka, logLevel } from 'kafkajs';
import { nodeHandler } from 'tablog/connect/receiver';
import { kafkaGateway } from 'tablog/gateway';

const { PORT, PAGE, BROKER } = process.env;
const kafka = new Kafka({ brokers: [BROKER], logLevel: logLevel.NOTHING });
const gateway = kafkaGateway({
  kafka,
  topics: [/^(orders|events)/],
  authorize: 'everybody',
  origins: [PAGE],
  // The default is a limit of the users, and not of the path.
  maxRequestsPerSecond: 1_000_000,
});
await gateway.ready();
createServer(nodeHandler(gateway.handle)).listen(Number(PORT), '127.0.0.1');
