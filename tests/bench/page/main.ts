import { measureBackground } from './background.ts';
import type { Measured, ReadCase, WriteCase, WriteInput } from './case.ts';
import { readDexie, writeDexie } from './dexie-cases.ts';
import { receive, sendAll } from './end-to-end.ts';
import type { Receiver, Way } from './end-to-end.ts';
import { GroupTab } from './group-tab.ts';
import type { GroupSetting, GroupShape, Joined } from './group-tab.ts';
import { readIdb, writeIdb } from './idb-cases.ts';
import { measureLatency } from './latency.ts';
import { readRaw, writeRaw } from './raw-cases.ts';
import type { Content } from './records.ts';
import {
  consumeByBatches,
  consumeByMessage,
  consumeInGroup,
  produceBySend,
  produceBySendBatch,
  produceByTransactions,
  produceInMemory,
  produceNotIdempotent,
} from './tablog-cases.ts';

const writers: Readonly<Record<string, WriteCase>> = {
  produceBySend,
  produceBySendBatch,
  produceNotIdempotent,
  produceInMemory,
  transactionsOf1: produceByTransactions(1),
  transactionsOf10: produceByTransactions(10),
  transactionsOf100: produceByTransactions(100),
  writeRaw,
  writeIdb,
  writeDexie,
};

const readers: Readonly<Record<string, ReadCase>> = {
  consumeByMessage,
  consumeByBatches,
  consumeInGroup,
  readRaw,
  readIdb,
  readDexie,
};

let receiver: Receiver | undefined;
let groupTab: GroupTab | undefined;

/** What the other side, in Node, calls. */
const bench = {
  write: (name: string, input: WriteInput): Promise<Measured> => writers[name]!(input),
  read: (name: string, written: Content): Promise<Measured> => readers[name]!(written),
  measureLatency,
  measureBackground,
  sendAll,
  startReceiving: async (way: Way, count: number): Promise<void> =>
    void (receiver = await receive(way, count)),
  openGroupTab: async (setting: GroupSetting): Promise<void> =>
    void (groupTab = await GroupTab.open(setting)),
  createTopic: (): Promise<unknown> => groupTab!.createTopic(),
  startProducing: (): void => void groupTab!.produce(),
  joinGroup: (commit: 'processed' | 'manual'): Promise<Joined> => groupTab!.join(commit),
  describeGroup: (): Promise<GroupShape> => groupTab!.describe(),
  received: (): Promise<readonly number[]> => receiver!.seen,
};

Object.assign(globalThis, { bench });
