import { UNKNOWN_TOPIC } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { subscribesTo } from '../group/group-state.ts';
import type { Request } from '../protocol/broker.ts';
import type { TopicOffsets } from '../protocol/fetch.ts';
import { isInMemory } from '../protocol/topic-id.ts';
import type { TopicStorage } from '../protocol/topic-id.ts';
import type { StoreSession } from './store-session.ts';
import type { TopicRow } from './rows/topic-row.ts';

/** A topic that is deleted during a look-up makes the look-up start over, up to this many times. */
const MAX_TRIES = 3;

type Run = <T>(use: (session: StoreSession) => Promise<T>) => Promise<T>;

/**
 * Looks up offsets as of the call. A client's requests arrive in the order of its calls, but a
 * look-up reads the store several times, and a later append of that client could land between the
 * reads. So appends wait for the look-ups that came before them.
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

  /** The offset of one place in each partition of the topics that the subscription matches. */
  async ofTopics(request: Request<'listTopicOffsets'>): Promise<TopicOffsets[]> {
    const rows = this.#matching(request);
    const found = (['disk', 'memory'] as const).map((storage) =>
      this.holdAppendsFor(storage, this.#ofStorage(request, storage, rows)),
    );
    return (await Promise.all(found)).flat();
  }

  async of(request: Request<'listOffsets'>): Promise<number[]> {
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
   * Resolves when every look-up that came before these appends has settled; `undefined` when there
   * is none, as is usual.
   */
  before(appends: readonly { readonly topicId: string }[]): Promise<unknown> | undefined {
    const { disk, memory } = this.#pending;
    if (disk.size + memory.size === 0) return undefined;
    const isOnDisk = appends.some(({ topicId }) => !isInMemory(topicId));
    const isHeld = appends.some(({ topicId }) => isInMemory(topicId));
    return Promise.allSettled([...(isOnDisk ? disk : []), ...(isHeld ? memory : [])]);
  }

  #matching({ subscription }: Request<'listTopicOffsets'>): Promise<TopicRow[]> {
    return this.#run(async ({ topics }) =>
      (await topics.list()).filter(({ name }) => subscribesTo(subscription, name)),
    );
  }

  async #ofStorage(
    request: Request<'listTopicOffsets'>,
    storage: TopicStorage,
    listed: Promise<TopicRow[]>,
  ): Promise<TopicOffsets[]> {
    for (let tries = 1; ; tries++) {
      const all = await (tries === 1 ? listed : this.#matching(request));
      const rows = all.filter(({ id }) => isInMemory(id) === (storage === 'memory'));
      try {
        return await this.#run((session) => offsetsOf(session, rows, request.at));
      } catch (error) {
        const isGone = error instanceof TablogError && error.code === UNKNOWN_TOPIC.code;
        if (!isGone || tries === MAX_TRIES) throw error;
      }
    }
  }
}

async function offsetsOf(
  { partitions }: StoreSession,
  rows: readonly TopicRow[],
  at: Request<'listTopicOffsets'>['at'],
): Promise<TopicOffsets[]> {
  const names = rows.flatMap(({ id, stores }) =>
    stores.map((_, partition) => ({ topicId: id, partition })),
  );
  if (names.length === 0) return [];
  const offsets =
    typeof at === 'number'
      ? await Promise.all(
          names.map(({ topicId, partition }) => partitions.offset(topicId, partition, at)),
        )
      : (await partitions.bounds(names)).map(({ startOffset, endOffset }) =>
          at === 'earliest' ? startOffset : endOffset,
        );
  let from = 0;
  return rows.map(({ id, name, stores: { length } }) => {
    const to = from + length;
    const own = offsets.slice(from, to);
    from = to;
    return { id, name, offsets: own };
  });
}
