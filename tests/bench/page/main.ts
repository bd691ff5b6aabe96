import type { Case, CaseInput, Measured } from './case.ts';
import { readDexie, writeDexie } from './dexie-cases.ts';
import { receive, sendAll } from './end-to-end.ts';
import type { Receiver } from './end-to-end.ts';
import { readIdb, writeIdb } from './idb-cases.ts';
import { measureLatency } from './latency.ts';
import { readRaw, writeRaw } from './raw-cases.ts';
import {
  consumeByBatches,
  consumeByMessage,
  produceBySend,
  produceBySendBatch,
} from './tablog-cases.ts';

const cases: Readonly<Record<string, Case>> = {
  produceBySend,
  produceBySendBatch,
  consumeByMessage,
  consumeByBatches,
  writeRaw,
  readRaw,
  writeIdb,
  readIdb,
  writeDexie,
  readDexie,
};

function run(name: string, input: CaseInput): Promise<Measured> {
  const measure = cases[name];
  if (measure === undefined) throw new Error(`there is no case '${name}'`);
  return measure(input);
}

let receiver: Receiver | undefined;

/** What the other side, in Node, calls. */
const bench = {
  run,
  measureLatency,
  sendAll,
  startReceiving: async (count: number): Promise<void> => void (receiver = await receive(count)),
  received: (): Promise<readonly number[]> => receiver!.seen,
};

export type Bench = typeof bench;

Object.assign(globalThis, { bench });
