import { CLOSED, STORAGE_UNAVAILABLE } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { TOPICS, partitionStore } from '../schema.ts';
import { contractCase, row } from './contract-case.ts';
import type { StoreContractCase } from './contract-case.ts';
import { mustBe, mustEqual, mustReject, rejectionOf } from './expect.ts';

/** The cases of `closed` and `close`. */
export function lifetimeContract(): readonly StoreContractCase[] {
  return [
    contractCase('is open until it is closed, with CLOSED as the reason', async ({ store }) => {
      mustBe('a new store is open', !store.closed.aborted);
      store.close();
      mustBe('a closed store is not open', store.closed.aborted);
      const reason: unknown = store.closed.reason;
      mustBe('the reason is a TablogError', reason instanceof TablogError);
      mustEqual("the reason's code", (reason as TablogError).code, CLOSED.code);
    }),

    contractCase('is closed for the reason that was given first', async ({ store }) => {
      const reason = new TablogError(STORAGE_UNAVAILABLE, 'the contract says so');
      store.close(reason);
      store.close();
      mustBe('the reason is the first one', store.closed.reason === reason);
      const thrown = await rejectionOf('a later read', store.readAll(TOPICS));
      mustBe('a later read rejects with the reason', thrown === reason);
    }),

    contractCase('settles what is in flight when it is closed', async (subject) => {
      const written = subject.put('a', 1);
      const read = subject.all();
      subject.store.close();
      await Promise.all([written, read]);
    }),

    contractCase('refuses every call after it was closed', async (subject) => {
      const { store } = subject;
      store.close();
      await mustReject('read', subject.get('a'), CLOSED.code);
      await mustReject('readAll', subject.all(), CLOSED.code);
      const request = { store: partitionStore(0), from: 0, maxBytes: 1 };
      await mustReject('readSegments', store.readSegments([request]), CLOSED.code);
      await mustReject('update', subject.put('a', 2), CLOSED.code);
      const taken = store.updatePartitions([row('a')], (_, write) => write.takePartitions(1));
      await mustReject('updatePartitions', taken, CLOSED.code);
    }),
  ];
}
