import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { testRuns } from '../e2e/connect-run.ts';
import type { Server } from '../e2e/connect-run.ts';
import type { Target } from '../e2e/page/connector.ts';
import { ChildServer } from '../support/child-server.ts';
import { freePort } from '../support/ports.ts';
import type { KafkaBroker } from './broker.ts';
import { kafkaAt, newTopic, readTopic, useKafka } from './kafka-fixture.ts';

const TABLOG = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const broker = useKafka();

/** `npx tablog gateway`, which dies; the broker of Kafka dies with it now and then. */
class Gateway implements Server {
  readonly #broker: KafkaBroker;
  readonly #port: number;
  readonly #server: ChildServer;
  #deaths = 0;

  constructor(port: number, origin: string, positionsTopic: string) {
    this.#broker = broker();
    this.#port = port;
    const options = {
      'bootstrap-server': this.#broker.address,
      topic: 'events',
      origin,
      port: String(port),
      'positions-topic': positionsTopic,
    };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    this.#server = new ChildServer(port, (env) =>
      spawn('node', [TABLOG, 'gateway', '--allow-anonymous', ...args], {
        env,
        stdio: ['ignore', 'ignore', 'inherit'],
      }),
    );
  }

  get target(): Target {
    return { kind: 'http', url: `http://127.0.0.1:${this.#port}/events` };
  }

  async start(): Promise<void> {
    await this.#broker.start();
    await this.#server.start();
  }

  async kill(): Promise<void> {
    if ((await this.#server.kill()) && ++this.#deaths % 3 === 0) await this.#broker.kill();
  }

  /**
   * Kafka has forgotten by then what the gateway's groups had committed, and its transactional ids: the
   * positions are those of the compacted topic.
   */
  async passTime(ms: number): Promise<void> {
    this.#server.passTime(ms);
    await this.#broker.passTime(ms);
  }

  async stored(): Promise<readonly number[]> {
    await this.#broker.start();
    const messages = await readTopic(kafkaAt(this.#broker), 'events');
    return messages.map(({ value }) => Number(value));
  }
}

testRuns('Kafka, by a gateway', async (origin) => {
  await broker().start();
  const kafka = kafkaAt(broker());
  // Of each run its own, as its records are counted.
  await newTopic(kafka, 4, 'events');
  return new Gateway(await freePort(), origin, `positions-${crypto.randomUUID()}`);
});
