import type { Connection } from '../connection/connection.ts';
import type { TopicMetadata } from '../topics/topic-metadata.ts';
import type { AdminCalls } from './admin-calls.ts';
import type { EachOf } from './admin-options.ts';
import { lazyAdminCalls } from './lazy-admin-calls.ts';

/** Makes the calls of `log.admin` with the code that the first of them loads. */
export class AdminCaller {
  readonly #connection: Connection;
  readonly #topicMetadata: TopicMetadata;
  #calls: AdminCalls | undefined;

  constructor(connection: Connection, topicMetadata: TopicMetadata) {
    this.#connection = connection;
    this.#topicMetadata = topicMetadata;
  }

  async call<T>(call: (calls: AdminCalls) => Promise<T>): Promise<T> {
    return call(await this.load());
  }

  async each<Asked extends readonly unknown[], Result>(
    call: (calls: AdminCalls) => Promise<readonly Result[]>,
  ): Promise<EachOf<Asked, Result>> {
    return (await this.call(call)) as EachOf<Asked, Result>;
  }

  async load(): Promise<AdminCalls> {
    const { AdminCalls } = await lazyAdminCalls.load();
    return (this.#calls ??= new AdminCalls(this.#connection, this.#topicMetadata));
  }
}
