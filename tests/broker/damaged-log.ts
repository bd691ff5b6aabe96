import type { TablogError } from '../../src/base/error.ts';
import type { TopicInfo } from '../../src/protocol/topic.ts';
import { fromErrorData } from '../../src/protocol/error-data.ts';
import { HEAD_KEY, partitionStore } from '../../src/store/schema.ts';
import type { RowRef } from '../../src/store/store.ts';
import { recordsOf, valuesOf } from '../support/broker-fixture.ts';
import type { TestBroker } from '../support/broker-fixture.ts';
import { World } from '../support/world.ts';

/** The records of one partition, v0 to v9, in five rows of two; the rows' keys are 0, 2, 4, 6, 8. */
export const ROWS: readonly number[] = [0, 2, 4, 6, 8];

// A topic of one partition takes the first partition store.
const STORE = partitionStore(0);

export interface Reading {
  readonly values: string[];
  readonly error: TablogError | undefined;
}

export interface DamagedLog {
  readonly topic: TopicInfo;
  broker(): TestBroker;
  /** Changes a row underneath the brokers, as a browser that loses data would. */
  change(key: number, changed: (row: ArrayBuffer) => ArrayBuffer | undefined): Promise<void>;
  lose(key: number): Promise<void>;
  rowSize(key: number): Promise<number>;
  loseEverything(): Promise<void>;
  flip(key: number, at: number, mask?: number): Promise<void>;
  /** Makes one row of all, as merging does, and resolves with its size. */
  merge(): Promise<number>;
  /** What a reader who comes anew gets from `offset` on, until the end or the first error. */
  readFrom(offset: number, maxBytes?: number): Promise<Reading>;
}

export async function openDamagedLog(): Promise<DamagedLog> {
  const log = new World();
  const shop = log.broker();
  const topic = await shop.create('orders');
  for (const key of ROWS) await shop.append(topic, ...values(key, key + 2));

  const change: DamagedLog['change'] = async (key, changed) => {
    const ref: RowRef<ArrayBuffer> = { store: STORE, key };
    await log.store.update([ref], ([row], write) => {
      const after = changed(row!);
      if (after === undefined) write.delete(STORE, key);
      else write.put(STORE, key, after);
    });
  };
  return {
    topic,
    change,
    broker: () => log.broker(),
    lose: (key) => change(key, () => undefined),
    async rowSize(key) {
      const ref: RowRef<ArrayBuffer> = { store: STORE, key };
      const [row] = await log.store.read([ref]);
      return row!.byteLength;
    },
    loseEverything: () =>
      log.store.update([{ store: STORE, key: HEAD_KEY }], (_, write) => write.clear(STORE)),
    flip: (key, at, mask = 0xff) =>
      change(key, (row) => {
        new Uint8Array(row)[at]! ^= mask;
        return row;
      }),
    async merge() {
      const rows: Uint8Array[] = [];
      for (const key of ROWS) await change(key, (row) => void rows.push(new Uint8Array(row)));
      const merged = new Uint8Array(rows.flatMap((row) => [...row])).buffer;
      await change(0, () => merged);
      return merged.byteLength;
    },
    async readFrom(offset, maxBytes = 1024 * 1024) {
      const reader = log.broker();
      const read: string[] = [];
      for (let next = offset; ;) {
        const fetched = await reader.fetch(topic, { offset: next, maxBytes });
        if (fetched === undefined || 'error' in fetched) {
          reader.broker.close();
          return { values: read, error: fetched && fromErrorData(fetched.error) };
        }
        const given = valuesOf(fetched);
        recordsOf(fetched).forEach((record, i) => {
          if (record.offset < next) return; // its batch begins before
          read.push(
            given[i] === `v${record.offset}` ? given[i] : `wrong: ${given[i]} at ${record.offset}`,
          );
        });
        next = fetched.nextOffset;
      }
    },
  };
}

export function values(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `v${from + i}`);
}
