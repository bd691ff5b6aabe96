import { connect, httpSink } from '../../src/connect.ts';
import type { Connector, ConnectorStatus, Sink } from '../../src/connect.ts';
import type { Log } from '../../src/index.ts';
import { CONNECTOR, CONNECTOR_GROUP, githubEvents, isPassing } from '../demo-log.ts';
import type { Work } from '../emptying.ts';
import { RECEIVER_PATH, TAB_HEADER } from '../server/protocol.ts';
import type { DeliverySetting } from './delivery-setting.ts';

const RETRY_MS = 1000;
/** So few that several requests bring what has come while the server failed, and can be watched. */
const BATCH_RECORDS = 100;
/** The waits of a person who looks on, and not those of a fleet of users: 30 and 60 s by default. */
const ANSWER_WITHIN_MS = 4000;
const MAX_BACKOFF_MS = 5000;

export interface DeliveryEvents {
  readonly onChange: () => void;
  readonly onError: (error: unknown) => void;
}

/** The connector of this tab to the server, while the tabs are to have one. */
export class Delivery implements Work {
  readonly #log: Log;
  readonly #tab: string;
  readonly #events: DeliveryEvents;
  #setting: DeliverySetting = 'off';
  #isEmptying = false;
  #connector: Connector | undefined;
  #hasFailed = false;
  #inFlight = 0;
  /** Whether the topic keeps what the server has not; `undefined`: not known. */
  #isProtected: boolean | undefined;
  #applied: Promise<void> = Promise.resolve();

  constructor(log: Log, tab: string, events: DeliveryEvents) {
    this.#log = log;
    this.#tab = tab;
    this.#events = events;
  }

  get setting(): DeliverySetting {
    return this.#setting;
  }

  /** Records that this tab has sent, and for which no answer has come. */
  get inFlight(): number {
    return this.#inFlight;
  }

  set(setting: DeliverySetting): void {
    this.#setting = setting;
    void this.#apply();
    this.#events.onChange();
  }

  /** `undefined`: this tab is not connected. */
  async status(): Promise<ConnectorStatus | undefined> {
    return this.#connector?.status();
  }

  /** Tries at once what waits for its next attempt, or was given up. */
  tryNow(): void {
    this.#connector?.wake();
    if (this.#hasFailed) this.#connector?.restart().catch(this.#events.onError);
  }

  /** Closes the connector while the log is emptied. */
  async pause(): Promise<void> {
    this.#isEmptying = true;
    await this.#apply();
    this.#isProtected = undefined; // the topic is another one afterwards
  }

  resume(): void {
    this.#isEmptying = false;
    void this.#apply();
  }

  #apply(): Promise<void> {
    this.#applied = this.#applied.then(async () => {
      try {
        await this.#applyNow();
      } catch (error) {
        if (isPassing(error)) setTimeout(() => void this.#apply(), RETRY_MS);
        else this.#events.onError(error);
      }
      this.#events.onChange();
    });
    return this.#applied;
  }

  async #applyNow(): Promise<void> {
    const isOn = this.#setting !== 'off';
    if (!isOn || this.#isEmptying) {
      const connector = this.#connector;
      this.#connector = undefined;
      await connector?.close();
    }
    if (this.#isEmptying) return;
    await this.#protect(isOn);
    if (!isOn) return;
    this.#connector ??= this.#connect();
    if (this.#setting === 'paused') this.#connector.pause();
    else this.#connector.resume();
  }

  /**
   * Has retention spare what the server has not. Not for longer than the tabs are connected: of a
   * group that never comes back, the topic would keep everything.
   */
  async #protect(isProtected: boolean): Promise<void> {
    if (this.#isProtected === isProtected) return;
    const { admin } = this.#log;
    const protectUncommitted = isProtected ? [CONNECTOR_GROUP] : [];
    const [{ config }] = await admin.describeTopics([githubEvents]);
    if (config.protectUncommitted.length > 0 !== isProtected) {
      await admin.alterTopics([{ topic: githubEvents, config: { protectUncommitted } }]);
      // A round of retention that is under way goes on as the topic was before: it ends here.
      if (isProtected) await admin.runLogCleaner();
    }
    this.#isProtected = isProtected;
  }

  #connect(): Connector {
    this.#hasFailed = false;
    const { onChange } = this.#events;
    const sink = httpSink({
      url: new URL(RECEIVER_PATH, document.baseURI),
      receiver: true,
      headers: { [TAB_HEADER]: this.#tab },
      timeoutMs: ANSWER_WITHIN_MS,
    });
    return connect(this.#log, {
      name: CONNECTOR,
      topics: [githubEvents],
      sink: this.#counted(sink),
      maxRecords: BATCH_RECORDS,
      maxBackoffMs: MAX_BACKOFF_MS,
      onStatus: (state) => {
        this.#hasFailed = state === 'failed';
        onChange();
      },
    });
  }

  /** The sink, which tells what is in flight. */
  #counted(sink: Sink): Sink {
    const count = (records: number): void => {
      this.#inFlight += records;
      this.#events.onChange();
    };
    return {
      ...sink,
      put: async (batch, context) => {
        count(batch.records.length);
        try {
          return await sink.put(batch, context);
        } finally {
          count(-batch.records.length);
        }
      },
    };
  }
}
