import { setMaxListeners } from 'node:events';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  OUTCOME_UNKNOWN,
  STORAGE_FULL,
  STORAGE_TIMEOUT,
  STORAGE_UNAVAILABLE,
  WORKER_LOST,
} from '../../src/base/error-rules.ts';
import type { ErrorRule } from '../../src/base/error-rules.ts';
import { LogBroker } from '../../src/broker/log-broker.ts';
import { Connection } from '../../src/client/connection.ts';
import { Log } from '../../src/client/open-log.ts';
import { TablogError, string, topic } from '../../src/index.ts';
import type { Consumer, Message, Placement, Producer, TransactionResult } from '../../src/index.ts';
import type { Broker, Method } from '../../src/protocol/broker.ts';
import { openMemoryStore } from '../../src/store/memory-store.ts';
import { Random } from '../checker/random.ts';
import { stubChannels } from '../checker/sim-channels.ts';
import { SimLiveness } from '../checker/sim-liveness.ts';
import { Realm, Road, SimTime } from '../checker/sim-time.ts';
import { FaultStore } from '../support/fault-store.ts';
import { Member, committed, fill, latch, openStubbed, readOne } from '../support/group-fixture.ts';
import { countOf, openTab, readAll, settle, texts } from '../support/log-fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';
import type { StubHost } from '../support/stub-broker.ts';
import { expel, openTabWith } from './run-fixture.ts';

const told = (rule: ErrorRule): TablogError => new TablogError(rule, 'a fault of the test');
const manual = { commit: 'manual' } as const;

/** How a call fails: before it was made, or after, so that only the answer is lost. */
interface Failure {
  readonly error: TablogError;
  readonly isMade: boolean;
}

const lostBefore: Failure = { error: told(OUTCOME_UNKNOWN), isMade: false };
const lostAfter: Failure = { error: told(OUTCOME_UNKNOWN), isMade: true };
const gone: Failure = { error: told(STORAGE_UNAVAILABLE), isMade: false };

/** The next calls fail in these ways, one each. */
function failNext(host: StubHost, method: Method, ...failures: readonly Failure[]): void {
  const left = [...failures];
  host.answer(method, async (request, real) => {
    const failure = left.shift();
    if (failure === undefined) return real(request);
    if (failure.isMade) await real(request);
    throw failure.error;
  });
}

interface Bench {
  /** In which nothing fails. */
  readonly log: Log;
  /** Whose calls fail, and whose time stands still. */
  readonly tab: Log;
  readonly host: StubHost;
  readonly clock: ManualClock;
  readonly consumer: Consumer;
  /** Consume, transform, produce: a record to 'out' and one to 'audit', and the offset. */
  readonly copy: (producer: Producer, message?: Message) => Promise<TransactionResult<void>>;
  /** Lets time pass until it is known what became of it. */
  readonly outcome: (promise: Promise<unknown>) => Promise<'stored' | TablogError>;
}

/** A member with records '0' to '4' of 't' to read, in a tab whose calls can fail. */
async function bench(): Promise<Bench> {
  const { log, host } = await openStubbed('t', 'out', 'audit');
  await fill(log, 5);
  const clock = new ManualClock();
  const tab = openTabWith(clock, host, log.name);
  const { consumer } = new Member(tab, manual);
  return {
    log,
    tab,
    host,
    clock,
    consumer,
    copy: (producer, message) =>
      producer.transaction((tx) => {
        for (const name of message === undefined ? [] : ['out', 'audit']) {
          tx.send(name, { value: String(message!.offset) });
        }
        tx.commitOffsets(consumer);
      }),
    async outcome(promise) {
      const results: ('stored' | TablogError)[] = [];
      promise.then(
        () => results.push('stored'),
        (error: unknown) => results.push(error as TablogError),
      );
      for (let ms = 0; results.length === 0 && ms < 300_000; ms += 100) {
        await settle();
        if (results.length === 0) clock.advance(100);
      }
      return results[0] ?? Promise.reject(new Error('it does not settle'));
    },
  };
}

beforeAll(async () => {
  // Loaded when they are needed: once they are there, nothing takes time but what a clock says.
  await import('../../src/client/group-member.ts');
  await import('../../src/client/runner.ts');
  await import('../../src/client/transactor.ts');
});

const stored = async (log: Log, name = 'out'): Promise<unknown> => texts(await readAll(log, name));
const code = (name: string): object => ({ code: name });

/** Whoever was told this must know that it may be stored. */
function expectUnknown(outcome: 'stored' | TablogError): void {
  expect(outcome === 'stored' ? 'stored' : outcome.code).toMatch(/^(stored|OUTCOME_UNKNOWN)$/);
}

describe('a transaction is stored once, with one answer, though', () => {
  test.each<[string, readonly Failure[]]>([
    ['the request was lost', [lostBefore]],
    ['the answer was lost', [lostAfter]],
    ['four answers were lost', [lostAfter, lostAfter, lostAfter, lostAfter]],
    ['the worker had died', [{ error: told(WORKER_LOST), isMade: false }]],
    ['the storage went away', [gone, gone, gone]],
    ['the storage did not answer', [{ error: told(STORAGE_TIMEOUT), isMade: false }]],
    [
      'an answer was lost, and then the disk was full',
      [lostAfter, { error: told(STORAGE_FULL), isMade: false }],
    ],
    ['everything failed in turn', [gone, lostBefore, gone, lostAfter, gone, lostBefore]],
  ])('%s', async (_, failures) => {
    const { log, tab, host, consumer, copy, outcome } = await bench();
    const producer = tab.producer();
    const messages = consumer[Symbol.asyncIterator]();
    for (let i = 0; i < 3; i++) {
      failNext(host, 'transact', ...failures);
      const { value } = await messages.next();
      const copying = copy(producer, value);
      expect(await outcome(copying)).toBe('stored');
      expect((await copying).placements).toMatchObject([
        { topic: 'out', offset: i },
        { topic: 'audit', offset: i },
      ]);
      expect(await committed(log)).toEqual({ 't/0': i + 1 });
    }
    expect(await stored(log)).toEqual(['0', '1', '2']);
    expect(await stored(log, 'audit')).toEqual(['0', '1', '2']);
  });

  test('its time of append was told by a lost answer', async () => {
    const { log, tab, host, clock, outcome } = await bench();
    await log.admin.alterTopic('out', { timestampType: 'append' });
    failNext(host, 'transact', lostAfter, gone, gone);
    const sending = tab
      .producer()
      .transaction((tx) => tx.send('out', { value: 'a', timestamp: 1 }));
    expect(await outcome(sending)).toBe('stored');
    const [message] = await readAll(log, 'out');
    expect((await sending).placements).toMatchObject([{ timestamp: message!.timestamp }]);
    expect(clock.now()).not.toBe(message!.timestamp);
  });

  test('its transactional id was hard to get', async () => {
    const { log, tab, host, copy, consumer, outcome } = await bench();
    failNext(host, 'initProducer', lostAfter, lostBefore);
    const producer = tab.producer({ transactionalId: 'billing' });
    expect(await outcome(copy(producer, await readOne(consumer)))).toBe('stored');
    expect(await stored(log)).toEqual(['0']);
  });

  test('a member closes or reads on meanwhile', async () => {
    const { log, tab, host, copy, consumer, outcome } = await bench();
    const gate = latch();
    host.answer('transact', async (request, real) => {
      const answer = await real(request);
      await gate.opened;
      return answer;
    });
    const copying = copy(tab.producer(), await readOne(consumer));
    await settle();
    const closing = consumer.close();
    await settle();
    gate.open();
    expect(await outcome(copying)).toBe('stored');
    await closing;
    expect(await committed(log)).toEqual({ 't/0': 1 });
    expect(await stored(log)).toEqual(['0']);
  });
});

describe('after deliveryTimeoutMs', () => {
  test.each<[string, Failure, string, string[]]>([
    ['a request that was lost', lostBefore, 'OUTCOME_UNKNOWN', []],
    ['an answer that was lost', lostAfter, 'OUTCOME_UNKNOWN', ['0']],
    ['a storage that is away', gone, 'STORAGE_UNAVAILABLE', []],
  ])('it is told: %s', async (_, failure, name, left) => {
    const { log, tab, host, clock, consumer, copy, outcome } = await bench();
    const producer = tab.producer({ deliveryTimeoutMs: 1000 });
    const began = clock.now();
    failNext(host, 'transact', ...Array.from({ length: 100 }, () => failure));
    expect(await outcome(copy(producer, await readOne(consumer)))).toMatchObject(code(name));
    expect(clock.now() - began).toBeGreaterThanOrEqual(1000);
    expect(clock.now() - began).toBeLessThan(1500);
    expect(await stored(log)).toEqual(left);
    expect(await committed(log)).toEqual({ 't/0': left.length });
    host.answer('transact', undefined);
    const next = producer.transaction((tx) =>
      tx.sendBatch('out', [{ value: 'a' }, { value: 'b' }]),
    );
    expect(await outcome(next)).toBe('stored');
    expect(await stored(log)).toEqual([...left, 'a', 'b']);
  });
});

describe('what is refused is known not to be stored, and', () => {
  test('leaves no gap: the next transaction is stored', async () => {
    const { log, tab, host, outcome } = await bench();
    const producer = tab.producer();
    const say = (value: string): Promise<'stored' | TablogError> =>
      outcome(producer.transaction((tx) => tx.sendBatch('out', [{ value }, { value }])));
    expect(await say('a')).toBe('stored');
    failNext(host, 'transact', { error: told(STORAGE_FULL), isMade: false });
    expect(await say('b')).toMatchObject(code('STORAGE_FULL'));
    expect(await say('c')).toBe('stored');
    expect(await stored(log)).toEqual(['a', 'a', 'c', 'c']);
  });

  test('nothing is lost of who has the transactional id next', async () => {
    const { log, tab, host, outcome } = await bench();
    const options = { transactionalId: 'billing', maxTransactionBytes: 900 } as const;
    const two = (producer: Producer, value: string): Promise<unknown> =>
      producer.transaction((tx) => {
        // As much as it may have: the partition's records are two batches.
        for (let i = 0; i < 2; i++) tx.send('out', { value: value.repeat(400) });
      });
    const one = (producer: Producer, value: string): Promise<unknown> =>
      producer.transaction((tx) => tx.send('out', { value }));
    const first = tab.producer(options);
    failNext(host, 'transact', { error: told(STORAGE_FULL), isMade: false });
    expect(await outcome(two(first, 'x'))).toMatchObject(code('STORAGE_FULL'));
    expect(await outcome(one(first, 'a'))).toBe('stored');
    await one(log.producer(options), 'b');
    expect(await stored(log)).toEqual(['a', 'b']);
  });
});

describe('what may be stored is not called refused:', () => {
  test('offsets that were stored, and the partition is another’s when they come again', async () => {
    const { log, tab, host, consumer, copy, outcome } = await bench();
    await readOne(consumer);
    host.answer('transact', async (request, real) => {
      host.answer('transact', undefined);
      await real(request);
      await expel(host, log);
      throw told(OUTCOME_UNKNOWN);
    });
    expectUnknown(await outcome(copy(tab.producer())));
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });

  test('records that were stored, and another has written with the transactional id since', async () => {
    const { log, tab, host, outcome } = await bench();
    const id = { transactionalId: 'billing' };
    host.answer('transact', async (request, real) => {
      host.answer('transact', undefined);
      await real(request);
      await log.producer(id).transaction((tx) => tx.send('out', { value: 'b' }));
      throw told(OUTCOME_UNKNOWN);
    });
    expectUnknown(
      await outcome(tab.producer(id).transaction((tx) => tx.send('out', { value: 'a' }))),
    );
    expect(await stored(log)).toEqual(['a', 'b']);
  });

  test('records that were stored, and one of their topics is deleted when they come again', async () => {
    const { log, tab, host, consumer, copy, outcome } = await bench();
    const message = await readOne(consumer);
    host.answer('transact', async (request, real) => {
      host.answer('transact', undefined);
      await real(request);
      await log.admin.deleteTopics(['audit']);
      throw told(OUTCOME_UNKNOWN);
    });
    expectUnknown(await outcome(copy(tab.producer(), message)));
    expect(await stored(log)).toEqual(['0']);
    expect(await committed(log)).toEqual({ 't/0': 1 });
  });
});

describe('a request that was given up, and arrives late,', () => {
  /** The next call is given up; the function has it arrive. */
  function delayNext(host: StubHost): () => Promise<unknown> {
    let arrive!: () => Promise<unknown>;
    host.answer('transact', async (request, real) => {
      host.answer('transact', undefined);
      arrive = () => real(request).catch(() => {});
      throw told(OUTCOME_UNKNOWN);
    });
    return () => arrive();
  }

  test('changes nothing after the one that was sent in its place', async () => {
    const { log, tab, host, consumer, copy, outcome } = await bench();
    const producer = tab.producer();
    const messages = consumer[Symbol.asyncIterator]();
    const arrive = delayNext(host);
    for (let i = 0; i < 3; i++) {
      expect(await outcome(copy(producer, (await messages.next()).value as Message))).toBe(
        'stored',
      );
    }
    await arrive();
    expect(await committed(log)).toEqual({ 't/0': 3 });
    expect(await stored(log)).toEqual(['0', '1', '2']);
  });

  test('does not take offsets back that were committed without records', async () => {
    const { log, tab, host, consumer, copy, outcome } = await bench();
    const producer = tab.producer();
    const messages = consumer[Symbol.asyncIterator]();
    const arrive = delayNext(host);
    await messages.next();
    expect(await outcome(copy(producer))).toBe('stored'); // nothing came of this message
    expect(await outcome(copy(producer, (await messages.next()).value as Message))).toBe('stored');
    await arrive();
    expect(await committed(log)).toEqual({ 't/0': 2 });
  });

  test.each([{}, { transactionalId: 'billing' }])(
    'stores nothing where its message was copied by the next one, with %j',
    async (options) => {
      const { log, tab, host, consumer, copy, outcome } = await bench();
      const message = await readOne(consumer);
      const arrive = delayNext(host);
      const producer = tab.producer({ deliveryTimeoutMs: 0, ...options });
      expect(await outcome(copy(producer, message))).toMatchObject(code('OUTCOME_UNKNOWN'));
      expect(await outcome(copy(producer, message))).toBe('stored'); // as onError: 'retry' does
      await arrive();
      expect(await committed(log)).toEqual({ 't/0': 1 });
      expect(await stored(log)).toEqual(['0']);
    },
  );

  test('is fenced when somebody else has its message', async () => {
    const { log, tab, host, consumer, copy, outcome } = await bench();
    const arrive = delayNext(host);
    const producer = tab.producer({ deliveryTimeoutMs: 0 });
    expect(await outcome(copy(producer, await readOne(consumer)))).toMatchObject(
      code('OUTCOME_UNKNOWN'),
    );
    await consumer.close();
    const b = new Member(log, manual).consumer;
    const message = await readOne(b);
    expect(message.offset).toBe(0);
    await arrive();
    expect(await countOf(log, 'out')).toBe(0);
  });
});

const SEEDS = Number(process.env['TABLOG_SEEDS'] ?? 200);
const ONLY = process.env['TABLOG_SEED'];
const seeds = ONLY === undefined ? Array.from({ length: SEEDS }, (_, i) => i + 1) : [Number(ONLY)];

const PARTITIONS = 3;
/** Of each partition. */
const RECORDS = 15;
const STEPS = 40;
/** Long enough for every timeout there is, in a row. */
const DRAIN_MS = 600_000;

const source = topic('in', { value: string(), partitions: PARTITIONS });
const sink = topic('out', { value: string(), partitions: PARTITIONS });
const audit = topic('audit', { value: string() });

/** Nothing comes of every fourth record: its transaction may have no records. */
const isLeftOut = ({ offset }: { readonly offset: number }): boolean => offset % 4 === 3;

/** A transaction of a walk, and what its tab was told of it. */
interface Told {
  readonly id: string;
  /** What it sends. */
  readonly values: readonly string[];
  outcome: readonly Placement[] | TablogError | undefined;
}

interface Tab {
  readonly log: Log;
  readonly realm: Realm;
  readonly producer: Producer;
  die(): void;
}

/** Has the transactions of a connection fail, each in its own way, as long as `isRough`. */
class RoughStore extends FaultStore {
  constructor(random: Random, inner: ReturnType<typeof openMemoryStore>, isRough: () => boolean) {
    super(inner);
    const update = super.update.bind(this);
    this.update = (refs, decide, options) => {
      if (isRough() && random.chance(0.06)) {
        const closes = random.chance(0.4) ? { closes: told(STORAGE_UNAVAILABLE) } : {};
        const error = random.pick([OUTCOME_UNKNOWN, STORAGE_UNAVAILABLE, STORAGE_FULL]);
        const stored = error === OUTCOME_UNKNOWN && random.chance(0.6);
        this.failNext({ error: told(error), stored, ...closes });
      }
      return update(refs, decide, options);
    };
  }
}

/** Members of a group copy a topic while tabs crash and stand still, and calls and storage fail. */
class Walk {
  readonly told: Told[] = [];
  readonly codes = new Set<string>();
  readonly #random: Random;
  readonly #store = openMemoryStore(0);
  readonly #time = new SimTime();
  readonly #liveness = new SimLiveness();
  readonly #isShared: boolean;
  #channels!: ReturnType<typeof stubChannels>;
  #worker: { readonly realm: Realm; readonly broker: LogBroker } | undefined;
  #tabs: Tab[] = [];
  #names = 0;
  #isRough = true;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#isShared = this.#random.chance(0.5);
    setMaxListeners(0, this.#store.closed); // one a connection
  }

  async run(): Promise<string[]> {
    const log = await this.#openCalm();
    await log.admin.createTopics([source, sink, audit]);
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    await fill(log, RECORDS, partitions, 'in');
    await log.close();
    this.#channels = stubChannels(
      this.#time,
      () => this.#delay(),
      () => this.#isRough && this.#random.chance(0.2),
    );
    if (this.#isShared) {
      const realm = new Realm(this.#time);
      this.#worker = { realm, broker: this.#newBroker(realm) };
    }
    for (let step = 0; step < STEPS; step++) await this.#step();
    await this.#drain();
    vi.unstubAllGlobals();
    return this.#check();
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const running = this.#tabs.filter(({ realm }) => realm.state === 'running');
    const act = random.next();
    if (running.length === 0 || (act < 0.15 && this.#tabs.length < 4)) this.#open();
    else if (act < 0.22) this.#kill(random.pick(running));
    else if (act < 0.3) random.pick(running).realm.freeze();
    else if (act < 0.42) random.pick(this.#tabs).realm.thaw();
    await this.#time.advance(random.pick([5, 20, 100, 500, 2000]));
  }

  #kill(tab: Tab): void {
    this.#tabs = this.#tabs.filter((other) => other !== tab);
    tab.die();
  }

  /** All goes well from now on. */
  async #drain(): Promise<void> {
    this.#isRough = false;
    for (const { realm } of this.#tabs) realm.thaw();
    this.#open();
    const rows = (): Promise<{ readonly offset: number }[]> => this.#store.readAll('offsets');
    for (let ms = 0; ms < DRAIN_MS; ms += 1000) {
      const offsets = (await rows()).map(({ offset }) => offset);
      if (offsets.length === PARTITIONS && offsets.every((offset) => offset === RECORDS)) break;
      await this.#time.advance(1000);
    }
    await this.#time.advance(60_000); // whatever is late
    for (const tab of this.#tabs) tab.die();
  }

  #open(): void {
    const realm = new Realm(this.#time);
    const broker = this.#worker?.broker ?? this.#newBroker(realm);
    const port = this.#port(broker, realm);
    const host = { open: () => ({ broker: port, close() {} }) };
    const connection = new Connection({ log: 'walk', host, workerUrl: undefined, clock: realm });
    const log = this.#channels.inRealm(realm, () => new Log('walk', connection));
    const random = this.#random;
    const producer = log.producer({
      deliveryTimeoutMs: random.pick([0, 300, 120_000, 120_000]),
      transactionTimeoutMs: 1200,
      compression: random.pick(['none', 'gzip']),
      ...(random.chance(0.4) ? { transactionalId: `id${random.int(1, 3)}` } : {}),
    });
    const die = (): void => {
      realm.die();
      this.#liveness.die(connection.clientId);
      broker.forget(connection.clientId);
    };
    const tab = { log, realm, producer, die };
    this.#tabs.push(tab);
    void this.#live(tab);
  }

  #newBroker(realm: Realm): LogBroker {
    const openStore = async (): Promise<FaultStore> =>
      new RoughStore(this.#random, this.#store, () => this.#isRough);
    const liveness = this.#liveness.in(realm);
    return this.#channels.inRealm(
      realm,
      () => new LogBroker({ name: 'walk', openStore, clock: realm, liveness }),
    );
  }

  #delay(): number {
    return this.#random.chance(0.6) ? 0 : this.#random.int(1, 30);
  }

  /** Calls take a while on their way, there and back; some get lost, and some arrive late. */
  #port(broker: LogBroker, realm: Realm): Broker {
    const random = this.#random;
    const worker = this.#worker?.realm ?? realm;
    const road = new Road(this.#time, () => this.#delay(), realm, worker);
    const make = async (method: Method, request: never): Promise<unknown> => {
      const call = (): Promise<unknown> => broker[method](request);
      if (!this.#isRough || random.chance(0.85)) return call();
      if (random.chance(0.3)) throw told(random.pick([WORKER_LOST, OUTCOME_UNKNOWN]));
      if (method === 'transact' && random.chance(0.4)) {
        worker.after(random.int(100, 5000), () => void call().catch(() => {}));
      } else await call();
      throw told(OUTCOME_UNKNOWN);
    };
    return new Proxy(broker, {
      get: (_, method: Method) => (request: never) => road.call(() => make(method, request)),
    });
  }

  /** Consumes, transforms and produces for as long as the tab lives. */
  async #live(tab: Tab): Promise<void> {
    const random = this.#random;
    for (;;) {
      const how = random.pick(['messages', 'batches', 'run', 'several'] as const);
      const commit = how === 'several' ? 'manual' : random.pick(['processed', 'manual'] as const);
      const consumer = tab.log.consumer({
        topics: [source],
        group: 'g',
        memberId: `m${++this.#names}`,
        from: 'earliest',
        commit,
        sessionTimeoutMs: 3000,
        rebalanceTimeoutMs: 1000,
        maxWaitMs: 1000,
      });
      for (let again = true; again;) {
        again = false;
        try {
          await this.#read(tab, consumer, how);
        } catch (error) {
          const name = error instanceof TablogError ? error.code : String(error);
          this.codes.add(name);
          // Who commits by hand has the message behind it, and who knows nothing looks where it is.
          again = commit === 'processed' && name !== 'OUTCOME_UNKNOWN' && random.chance(0.5);
        }
        await pause(tab.realm, 100);
      }
      await consumer.close().catch(() => {});
    }
  }

  async #read(
    tab: Tab,
    consumer: Consumer<typeof source>,
    how: 'messages' | 'batches' | 'run' | 'several',
  ): Promise<void> {
    const copy = (messages: readonly Message[]): Promise<void> =>
      this.#copy(tab, consumer, messages);
    if (how === 'run') return consumer.run({ eachMessage: (message) => copy([message]) });
    if (how === 'batches') {
      for await (const { messages } of consumer.batches({ max: 4 })) await copy(messages);
      return;
    }
    let several: Message[] = [];
    for await (const message of consumer) {
      several.push(message);
      const isEnd = consumer.assignment.every((where) => consumer.position(where) === RECORDS);
      if (how === 'several' && !isEnd && this.#random.chance(0.7)) continue;
      await copy(several);
      several = [];
    }
  }

  async #copy(
    { producer, realm }: Tab,
    consumer: Consumer<typeof source>,
    messages: readonly Message[],
  ): Promise<void> {
    const random = this.#random;
    const id = `x${this.told.length}`;
    const kept = messages.filter((message) => !isLeftOut(message));
    const values = kept.map(({ partition, offset }) => `${id} ${partition}@${offset}`);
    const each: Told = { id, values, outcome: undefined };
    this.told.push(each);
    try {
      const { placements } = await producer.transaction(async (tx) => {
        const isEarly = random.chance(0.5);
        if (isEarly) tx.commitOffsets(consumer);
        kept.forEach(({ partition }, i) => tx.send(sink, { value: values[i]!, partition }));
        if (random.chance(0.3)) await pause(realm, random.int(0, 1500));
        if (kept.length > 0) tx.send(audit, { value: `${id} ${kept.length}` });
        if (!isEarly) tx.commitOffsets(consumer);
      });
      each.outcome = placements;
    } catch (error) {
      each.outcome = error as TablogError;
      throw error;
    }
  }

  /** What there is now, looked at by a tab in which nothing fails. */
  #openCalm(): Promise<Log> {
    const broker = (): LogBroker =>
      new LogBroker({ name: 'calm', openStore: async () => new FaultStore(this.#store) });
    return openTab({ open: () => ({ broker: broker(), close() {} }) }, 'calm');
  }

  /** What is wrong. */
  async #check(): Promise<string[]> {
    const log = await this.#openCalm();
    const wrong: string[] = [];
    const [copied, counts] = [await readAll(log, sink), await readAll(log, audit)];
    const offsets = await log.admin.fetchOffsets('g');
    await log.close();
    for (const { partition, offset } of offsets) {
      if (offset !== RECORDS) wrong.push(`partition ${partition} is committed up to ${offset}`);
    }
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const found = copied.filter((message) => message.partition === partition);
      const got = found.map(({ value }) => value!.split(' ')[1]);
      const due = Array.from({ length: RECORDS }, (_, offset) => ({ offset }))
        .filter((input) => !isLeftOut(input))
        .map(({ offset }) => `${partition}@${offset}`);
      if (got.join() !== due.join()) wrong.push(`copied: ${got.join()}, not ${due.join()}`);
    }
    const places = new Map(
      [...copied, ...counts].map((message) => [placeOf(message), message.value]),
    );
    for (const { id, values, outcome } of this.told) {
      const all = values.length === 0 ? [] : [...values, `${id} ${values.length}`];
      const isOf = ({ value }: { readonly value: string | null }): boolean =>
        value!.startsWith(`${id} `);
      const there = [...copied, ...counts].filter(isOf).map(({ value }) => value);
      const name =
        outcome instanceof TablogError ? outcome.code : outcome === undefined ? 'dead' : 'ack';
      if (there.length > 0 && there.length !== all.length) wrong.push(`${id} is half there`);
      if (name === 'ack') {
        const said = (outcome as readonly Placement[]).map((place) => places.get(placeOf(place)));
        if (said.join() !== all.join()) wrong.push(`${id} was told: ${said.join()}`);
      } else if (name !== 'OUTCOME_UNKNOWN' && name !== 'dead' && there.length > 0) {
        wrong.push(`${id} is there, and was told ${name}`);
      }
    }
    return wrong;
  }
}

function placeOf({
  topic: of,
  partition,
  offset,
}: Pick<Placement, 'topic' | 'partition' | 'offset'>): string {
  return `${of}/${partition}@${offset}`;
}

function pause(realm: Realm, ms: number): Promise<void> {
  return new Promise((resolve) => void realm.after(ms, resolve));
}

describe('exactly once', () => {
  beforeEach(() => {
    vi.stubGlobal('navigator', undefined); // newer Nodes have locks
  });
  afterEach(() => void vi.unstubAllGlobals());

  test(`whatever happens, in ${seeds.length} walks`, { timeout: 3_600_000 }, async () => {
    const outcomes = new Set<string>();
    for (const seed of seeds) {
      const walk = new Walk(seed);
      expect(await walk.run(), `TABLOG_SEED=${seed}`).toEqual([]);
      for (const name of walk.codes) outcomes.add(name);
    }
    if (seeds.length < 100) return;
    for (const name of ['FENCED', 'OUTCOME_UNKNOWN', 'TRANSACTION_TIMED_OUT', 'STORAGE_FULL']) {
      expect(outcomes).toContain(name);
    }
  });
});
