import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { deferred } from '../../src/base/deferred.ts';
import { topic } from '../../src/index.ts';
import type { Log } from '../../src/index.ts';
import { PRODUCERS } from '../../src/store/schema.ts';
import { batch } from '../support/broker-fixture.ts';
import type { TestBroker } from '../support/broker-fixture.ts';
import type { FaultStore } from '../support/fault-store.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { FAULT_KINDS } from './fault-kinds.ts';
import type { FaultKind } from './fault-kinds.ts';
import { World } from '../support/world.ts';
import { settle } from '../support/waiting.ts';

const ROUND_MS = 300_000;
const DAY_MS = 86_400_000;

const unhandled: unknown[] = [];
const noteUnhandled = (reason: unknown): void => void unhandled.push(reason);

beforeEach(() => {
  vi.stubGlobal('navigator', undefined); // newer Nodes have locks
  unhandled.length = 0;
  process.on('unhandledRejection', noteUnhandled);
});
afterEach(() => {
  process.off('unhandledRejection', noteUnhandled);
  vi.unstubAllGlobals();
});

/** What keeps a log small. */
type Bound = 'retention' | 'budget';

/** A log with something for a round to do, and a connection that a test breaks. */
interface Tended {
  readonly log: Log;
  readonly world: World;
  /** The connection that is open. */
  readonly connection: () => FaultStore;
  /** The same log through another broker, which looks after nothing. */
  readonly other: () => Promise<Log>;
  /** What is left, and how large. */
  readonly result: () => Promise<unknown>;
}

const KIB = 'x'.repeat(1024);

async function openTended(bound: Bound): Promise<Tended> {
  const world = new World();
  const { clock, store } = world;
  const { log, connections } = await world.openTab();
  const retention = bound === 'retention' ? { ms: 9 * DAY_MS, bytes: 5_000 } : {};
  await log.admin.createTopics([
    topic('orders', { retention }),
    topic('state', { cleanup: 'compact' }),
  ]);
  const producer = log.producer();
  const timestamp = clock.now();
  const old = { value: 'x'.repeat(100_000), timestamp: timestamp - 2 * DAY_MS };
  for (let i = 0; i < 3; i++) await producer.send('orders', old);
  for (let i = 0; i < 8; i++) await producer.send('orders', { value: KIB, timestamp });
  if (bound === 'budget') await log.admin.alterLog({ maxBytes: 6_000 });
  const states = bound === 'budget' ? 0 : 6;
  for (let i = 0; i < states; i++) {
    await producer.send('state', { key: 'k', value: KIB, timestamp });
  }
  const transactional = log.producer({ transactionalId: 'till' });
  await transactional.transaction((tx) => tx.send('orders', { value: 'last', timestamp }));
  return {
    log,
    world,
    connection: () => connections.at(-1)!,
    other: async () => (await world.openTab({ clock: new ManualClock() })).log,
    async result() {
      const names = ['orders', 'state'];
      const described = await log.admin.describeTopics(names);
      const ids = await store.readAll(PRODUCERS);
      return { ids: ids.length, left: described.map((each) => each.partitions) };
    },
  };
}

/** A round whose `nth` call has this fault; `undefined`: it has fewer. */
async function faultAt(
  bound: Bound,
  nth: number,
  kind: FaultKind,
): Promise<(Tended & { readonly release: () => void }) | undefined> {
  const tended = await openTended(bound);
  const store = tended.connection();
  const released = deferred();
  const calls = store.calls;
  store.failNth(nth, kind.fault(released.promise));
  await tended.world.pass(8 * DAY_MS);
  if (store.calls <= calls + nth) return undefined;
  return { ...tended, release: released.resolve };
}

describe.each<Bound>(['retention', 'budget'])('a round by %s, of which a call', (bound) => {
  test.each(FAULT_KINDS)('$name, is made good by the next one', async (kind) => {
    const whole = await openTended(bound);
    await whole.world.pass(8 * DAY_MS);
    const expected = await whole.result();
    let nth = 0;
    for (; ; nth++) {
      const tended = await faultAt(bound, nth, kind);
      if (tended === undefined) break;
      tended.release();
      for (let round = 0; round < 3; round++) {
        await tended.result(); // a connection that is lost is opened when somebody needs it
        await tended.world.pass(ROUND_MS);
      }
      expect(await tended.result(), `call ${nth}`).toEqual(expected);
      await tended.log.close();
    }
    expect(nth).toBeGreaterThan(15);
    expect(unhandled).toEqual([]);
  });

  test.each(FAULT_KINDS.filter(({ isHeld }) => isHeld))(
    '$name, is in no other broker’s way, and leaves nothing behind when the log closes',
    async (kind) => {
      for (let nth = 0; ; nth++) {
        const tended = await faultAt(bound, nth, kind);
        if (tended === undefined) break;
        const { log, release } = tended;
        const { clock } = tended.world;
        const other = await tended.other();
        const sent = await other.producer().send('orders', { value: 'a' });
        expect(sent).toMatchObject({ offset: 12 });
        await other.close();
        await log.close();
        await settle();
        expect(clock.timers).toBe(0);
        release();
        await settle();
        expect(clock.timers).toBe(0);
        expect(unhandled).toEqual([]);
      }
    },
  );
});

/** Web Locks, as far as a round asks for them. */
class Locks {
  readonly #holders = new Map<string, symbol>();

  async request(
    name: string,
    _options: { readonly ifAvailable: true },
    use: (lock: object | null) => Promise<void>,
  ): Promise<void> {
    if (this.#holders.has(name)) return use(null);
    const holder = Symbol(name);
    this.#holders.set(name, holder);
    try {
      await use({});
    } finally {
      if (this.#holders.get(name) === holder) this.#holders.delete(name);
    }
  }

  /** Whoever holds a lock is dead. */
  release(): void {
    this.#holders.clear();
  }
}

describe('a broker whose round hangs', () => {
  test('keeps the others from theirs until it is dead', async () => {
    const locks = new Locks();
    vi.stubGlobal('navigator', { locks });
    const liveness = { onDeath() {}, isAlive: async () => true };
    for (let nth = 1; ; nth++) {
      const world = new World();
      const [slow, other] = [world.broker({ liveness }), world.broker({ liveness })];
      const info = await slow.create('orders', 1, { retention: { ms: null, bytes: 5_000 } });
      const append = (through: TestBroker): Promise<unknown> => through.produce(info, batch(KIB));
      for (let i = 0; i < 20; i++) await append(slow);
      const left = async (): Promise<unknown> => (await other.broker.describeTopics(['orders']))[0];
      const range = (startOffset: number, endOffset: number): object => ({
        partitions: [{ startOffset, endOffset }],
      });
      expect(await left()).toMatchObject(range(0, 20));
      const released = deferred();
      const { connection } = slow;
      const { calls } = connection;
      // The first call is made before the lock is asked for.
      connection.failNth(nth, { until: released.promise });
      await world.pass(10_000);
      if (connection.calls <= calls + nth) break;
      const before = await left();
      await world.pass(ROUND_MS);
      expect(await left()).toEqual(before);
      expect(await append(other)).toMatchObject({ baseOffset: 20 });
      locks.release();
      await world.pass(ROUND_MS);
      expect(await left()).toMatchObject(range(16, 21));
      released.resolve();
      await settle();
      expect(await left()).toMatchObject(range(16, 21));
      expect(await append(slow)).toMatchObject({ baseOffset: 21 });
      for (const { broker } of [slow, other]) broker.close();
      locks.release();
    }
  });
});
