import { inline } from '../../../src/inline.ts';
import * as tablog from '../../../src/index.ts';
import type {
  InlineHost,
  Log,
  LogStatus,
  MessageOf,
  TopicLike,
  WorkerKind,
} from '../../../src/index.ts';
import * as connector from './connector.ts';
import * as exactlyOnce from './exactly-once.ts';
import { fillOrigin } from './full-origin.ts';
import type { FullOrigin } from './full-origin.ts';
import * as member from './group-member.ts';
import * as leaving from './leaving.ts';
import * as memoryTopics from './memory-topics.ts';
import { useLog } from '../use-log.ts';

/** What the tests call in a tab, by `page.evaluate`. */
const api = {
  ...tablog,
  inline,
  /** A member of a group, and what it does. */
  member,
  /** A connector to a receiver. */
  connector,
  /** Members of another group, which copy one topic to another. */
  exactlyOnce,
  /** What a tab is in the middle of as it is left. */
  leaving,
  /** Readers and senders of a topic in memory. */
  memoryTopics,
  useLog,
  /** What has filled the origin of this tab. */
  full: undefined as FullOrigin | undefined,
  fillOrigin,
  log: undefined as Log | undefined,

  /** Opens the log of this tab, in whatever host the test is about. */
  async open(name: string, kind: 'default' | WorkerKind | 'inline'): Promise<void> {
    const host: WorkerKind | InlineHost | undefined =
      kind === 'inline' ? inline() : kind === 'default' ? undefined : kind;
    api.log = await tablog.openLog(name, host === undefined ? {} : { host });
  },

  /** The types of what the log of this tab has told since `listen`. */
  told: [] as LogStatus['type'][],

  listen(): void {
    const statuses = api.mustGetLog().status();
    void (async () => {
      for await (const { type } of statuses) api.told.push(type);
    })();
  },

  mustGetLog(): Log {
    if (api.log === undefined) throw new Error('no log is open in this tab');
    return api.log;
  },

  /** Reads `count` messages from the beginning, decoded. */
  async readAll(topic: TopicLike, count: number): Promise<Read[]> {
    const read: Read[] = [];
    if (count === 0) return read;
    const consumer = api.mustGetLog().consumer({ topics: [topic], from: 'earliest' });
    for await (const message of consumer) {
      read.push(readOf(message));
      if (read.length === count) break;
    }
    await consumer.close();
    return read;
  },
};

export interface Read {
  readonly partition: number;
  readonly offset: number;
  readonly key: unknown;
  readonly value: unknown;
}

function readOf(message: MessageOf<TopicLike>): Read {
  const { partition, offset, key, value } = message;
  return { partition, offset, key, value };
}

export type PageApi = typeof api;

declare global {
  interface Window {
    api: PageApi;
  }
}

globalThis.window.api = api;
