import { UNKNOWN_TOPIC } from '../base/error-rules.ts';
import { TablogError, isPassing } from '../base/error.ts';
import { subscribesTo } from '../group/group-state.ts';
import type { Request } from '../protocol/broker.ts';
import type { OffsetSpec, TopicOffsets } from '../protocol/fetch.ts';
import { isInMemory } from '../protocol/topic-id.ts';
import type { TopicStorage } from '../protocol/topic-id.ts';
import type { StoreSession } from './store-session.ts';
import type { TopicRow } from './rows/topic-row.ts';
import { explainMissing } from './topics/missing-head.ts';

type Run = <T>(use: (session: StoreSession) => Promise<T>) => Promise<T>;

/**
 * Looks up offsets as of the call. A client's requests arrive in the order of its calls, but a
 * look-up reads the store several times, and a later append of that client could land between the
 * reads. So appends wait for the look-ups that arrived before them.
 */
export class OffsetLookups {
  readonly #run: Run;
  /**
   * Look-ups under way, by storage: a hung broker that holds topics in memory must not delay
   * appends on disk.
   */
  readonly #pending: Readonly<Record<TopicStorage, Set<Promise<unknown>>>> = {
    disk: new Set(),
    memory: new Set(),
  };

  constructor(run: Run) {
    this.#run = run;
  }

  /**
   * The offset of one `OffsetSpec` in each partition of the topics that the subscription matches.
   */
  async listTopicOffsets(request: Request<'listTopicOffsets'>): Promise<TopicOffsets[]> {
    const rows = this.#matching(request);
    const found = (['disk', 'memory'] as const).map((storage) =>
      this.holdAppendsFor(storage, this.#offsetsInStorage(request, storage, rows)),
    );
    return (await Promise.all(found)).flat();
  }

  async listOffsets(request: Request<'listOffsets'>): Promise<number[]> {
    return Promise.all(
      request.map(({ topicId, partition, at }) => {
        const storage = isInMemory(topicId) ? 'memory' : 'disk';
        const run = this.#run(({ partitions }) => partitions.offset(topicId, partition, at));
        return this.holdAppendsFor(storage, run);
      }),
    );
  }

  /** Makes later appends wait until `lookup` settles. */
  holdAppendsFor<T>(storage: TopicStorage, lookup: Promise<T>): Promise<T> {
    const pending = this.#pending[storage];
    pending.add(lookup);
    const done = (): void => void pending.delete(lookup);
    lookup.then(done, done);
    return lookup;
  }

  /**
   * Resolves when every look-up that arrived before these appends has settled; `undefined` in the
   * usual case, that no look-up is under way.
   */
  settledBefore(appends: readonly { readonly topicId: string }[]): Promise<unknown> | undefined {
    const { disk, memory } = this.#pending;
    if (disk.size + memory.size === 0) return undefined;
    const hasDisk = appends.some(({ topicId }) => !isInMemory(topicId));
    const hasMemory = appends.some(({ topicId }) => isInMemory(topicId));
    return Promise.allSettled([...(hasDisk ? disk : []), ...(hasMemory ? memory : [])]);
  }

  #matching({ subscription }: Request<'listTopicOffsets'>): Promise<TopicRow[]> {
    return this.#run(async ({ topics }) =>
      (await topics.list()).filter(({ name }) => subscribesTo(subscription, name)),
    );
  }

  async #offsetsInStorage(
    { at }: Request<'listTopicOffsets'>,
    storage: TopicStorage,
    listed: Promise<TopicRow[]>,
  ): Promise<TopicOffsets[]> {
    const rows = (await listed).filter(({ id }) => isInMemory(id) === (storage === 'memory'));
    if (rows.length === 0) return [];
    return this.#run((session) => offsetsOf(session, rows, at));
  }
}

async function offsetsOf(
  session: StoreSession,
  rows: readonly TopicRow[],
  at: OffsetSpec,
): Promise<TopicOffsets[]> {
  if (typeof at !== 'number') {
    const all = rows.flatMap(({ id, stores }) =>
      stores.map((_, partition) => ({ topicId: id, partition })),
    );
    // A single read covers all partitions, and fails when a partition is damaged. Then each partition
    // is looked up by itself.
    const bounds = await session.partitions.bounds(all).catch((error: unknown) => {
      if (isPassing(error)) throw error; // the storage is unavailable, so every read would fail
    });
    const offsets = bounds?.map((bound) =>
      at === 'earliest' ? bound.startOffset : bound.endOffset,
    );
    if (offsets !== undefined) {
      return rows.map(({ id, name, stores }) => ({
        id,
        name,
        offsets: offsets.splice(0, stores.length),
      }));
    }
  }
  const each = await Promise.all(rows.map((row) => offsetsOfTopic(session, row, at)));
  return each.flatMap((topic) => topic ?? []);
}

/**
 * The offsets of one topic; `undefined` when the topic was deleted meanwhile. A damaged partition
 * gets the offset 0: a fetch of that partition reports the damage, and the other partitions stay
 * readable.
 */
async function offsetsOfTopic(
  { partitions, store, topics }: StoreSession,
  { id, name, stores }: TopicRow,
  at: OffsetSpec,
): Promise<TopicOffsets | undefined> {
  let isGone = false;
  const looked = stores.map(async (_, partition) => {
    try {
      return await partitions.offset(id, partition, at);
    } catch (thrown) {
      const error = await explainMissing(topics, thrown);
      const isRefused = error instanceof TablogError && error.outcome === 'refused';
      if (!isRefused || store.closed.aborted) throw error;
      if (error.code === UNKNOWN_TOPIC.code) isGone = true;
      return 0;
    }
  });
  const offsets = await Promise.all(looked);
  return isGone ? undefined : { id, name, offsets };
}
