import { kafkaErrorType } from './kafka-client.ts';
import type { KafkaAdmin, KafkaClient } from './kafka-client.ts';

/** The admin connection of a gateway, made where it is needed, and anew after it has failed. */
export class KafkaConnection {
  readonly #kafka: KafkaClient;
  #admin: Promise<KafkaAdmin> | undefined;

  constructor(kafka: KafkaClient) {
    this.#kafka = kafka;
  }

  async use<T>(work: (admin: KafkaAdmin) => Promise<T>): Promise<T> {
    const connecting = (this.#admin ??= this.#connect());
    try {
      return await work(await connecting);
    } catch (error) {
      // An answer of Kafka, as that a topic is unknown, came by a connection that is sound.
      if (kafkaErrorType(error) === undefined && this.#admin === connecting) await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    await admin?.then((connected) => connected.disconnect()).catch(() => {}); // Kafka is away
  }

  async #connect(): Promise<KafkaAdmin> {
    const admin = this.#kafka.admin();
    await admin.connect();
    return admin;
  }
}
