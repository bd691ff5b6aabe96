import { topic } from '../../src/index.ts';
import type { ConsumerOptions, GroupDescription, Log, Producer } from '../../src/index.ts';
import type { HistoryEvent } from './history.ts';
import { Random } from './random.ts';
import { Reader } from './reader.ts';
import { codeOf } from './recorder.ts';
import type { Realm } from './sim-time.ts';
import { World } from './world.ts';

const GROUP = 'group';
const TOPICS = ['a', 'b'];
const MAX_PARTITIONS = 6;
const MAX_TABS = 5;
const MAX_READERS = 7;
/** The limit of the drain, long enough for every timeout in a row. */
const DRAIN_MS = 240_000;

interface Tab {
  readonly name: string;
  readonly log: Log;
  readonly realm: Realm;
  readonly producer: Producer;
  readers: Reader[];
  /** The ids of all members that the tab ever had, including members that are leaving. */
  readonly members: string[];
  die(): void;
}

export interface Walked {
  readonly history: readonly HistoryEvent[];
  /** Errors that no reader may get, failed calls, and a drain that did not finish. */
  readonly wrong: readonly string[];
  readonly mode: 'shared' | 'dedicated';
}

/** Takes random steps with the tabs of a group, and then lets the group drain the log. */
export async function walk(seed: number, steps: number): Promise<Walked> {
  const walker = new Walker(seed);
  await walker.begin();
  for (let step = 0; step < steps; step++) await walker.step();
  await walker.end();
  const { wrong, mode, history } = walker;
  return { wrong, mode, history };
}

class Walker {
  readonly mode: 'shared' | 'dedicated';
  readonly wrong: string[] = [];
  readonly #random: Random;
  readonly #world: World;
  readonly #partitions = new Map(TOPICS.map((topic) => [topic, 1]));
  #tabs: Tab[] = [];
  #names = 0;
  #isCalm = false;
  /** The ids of members whose tab died, which a new member may use again. */
  readonly #free: string[] = [];
  /** The possible steps with their weights. */
  readonly #acts: readonly (readonly [weight: number, act: () => void | Promise<void>])[] = [
    [5, () => this.#join()],
    [2, () => this.#leave()],
    [1, () => this.#crash()],
    [2, () => this.#freeze()],
    [2, () => this.#thaw()],
    [6, () => this.#produce()],
    [2, () => this.#getStuck()],
    [2, () => this.#anyReader()?.goOn()],
    [2, () => this.#anyReader()?.leaveLoop()],
    [2, () => this.#commit()],
    [1, () => this.#anyReader()?.consumer.pause()],
    [2, () => this.#anyReader()?.consumer.resume()],
    [1, () => this.#addPartition()],
    [1, () => this.#loseHints()],
    [2, () => this.#keepHints()],
    [4, () => this.#wait(this.#random.int(1, 50))],
    [4, () => this.#wait(this.#random.int(50, 1_000))],
    [3, () => this.#wait(this.#random.int(1_000, 6_000))],
  ];

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.mode = this.#random.pick(['shared', 'dedicated']);
    this.#world = new World(seed, this.mode);
  }

  get history(): readonly HistoryEvent[] {
    return this.#world.recorder.history;
  }

  async begin(): Promise<void> {
    const { log } = this.#openTab();
    const topics = [...TOPICS, 'dead'].map((name) => topic(name, { partitions: 1 }));
    const created = this.#expectNoError('createTopics', log.admin.createTopics(topics));
    await this.#wait(1_000);
    await created;
    this.#join();
  }

  async step(): Promise<void> {
    let at = this.#random.next() * this.#acts.reduce((sum, [weight]) => sum + weight, 0);
    const [, act] = this.#acts.find(([weight]) => (at -= weight) < 0)!;
    await act();
    await this.#wait(0);
  }

  /** Ends all faults, lets the remaining readers drain the log, and closes them. */
  async end(): Promise<void> {
    this.#isCalm = true;
    this.#keepHints();
    for (const { realm } of this.#tabs) if (realm.state === 'frozen') this.#thawTab(realm);
    for (const reader of this.#readers()) {
      reader.goOn();
      reader.consumer.resume();
    }
    if (this.#readers().length === 0) this.#join();
    await this.#drain();
    const closing = this.#readers().map((reader) => reader.close());
    await this.#wait(1_000);
    await this.#noteEnds();
    const closed = this.#tabs.map(({ log }) => this.#expectNoError('log.close', log.close()));
    await this.#wait(30_000);
    void Promise.all([...closing, ...closed]);
  }

  #openTab(): Tab {
    const opened = this.#world.openTab();
    const name = `tab${++this.#names}`;
    const tab = { ...opened, name, producer: opened.log.producer(), readers: [], members: [] };
    this.#tabs.push(tab);
    return tab;
  }

  #join(): void {
    const running = this.#running();
    if (this.#readers().length >= MAX_READERS) return;
    const isNew =
      running.length === 0 || (this.#tabs.length < MAX_TABS && this.#random.chance(0.5));
    const tab = isNew ? this.#openTab() : this.#random.pick(running);
    const random = this.#random;
    const again = this.#random.chance(0.3) ? this.#free.pop() : undefined;
    const options: ConsumerOptions<RegExp> = {
      topics: [/^[ab]$/],
      from: 'earliest',
      group: GROUP,
      memberId: again ?? `m${++this.#names}`,
      commit: random.pick(['processed', 'processed', 'manual', { everyMs: random.int(5, 400) }]),
      sessionTimeoutMs: random.pick([1_000, 4_000, 10_000]),
      rebalanceTimeoutMs: random.pick([900, 3_000, 20_000]),
      maxWaitMs: random.pick([200, 5_000]),
      prefetchBytes: random.pick([1, 1_000, 1_000_000]),
    };
    const reader = new Reader(tab.log.consumer(options), options.commit, {
      recorder: this.#world.recorder,
      random: this.#random,
      realm: tab.realm,
      isCalm: () => this.#isCalm,
      onUnexpected: (error) => this.wrong.push(`a reader got ${codeOf(error)}`),
    });
    tab.readers.push(reader);
    tab.members.push(reader.member);
    reader.start();
  }

  #leave(): void {
    const reader = this.#anyReader();
    if (reader === undefined) return;
    for (const tab of this.#tabs) tab.readers = tab.readers.filter((other) => other !== reader);
    void reader.close();
    reader.goOn();
  }

  #crash(): void {
    if (this.#tabs.length === 0) return;
    const tab = this.#random.pick(this.#tabs);
    this.#tabs = this.#tabs.filter((other) => other !== tab);
    for (const member of tab.members) this.#fault('crash', member);
    this.#free.push(...tab.readers.map(({ member }) => member));
    this.#fault('crash', tab.name);
    tab.die();
  }

  #freeze(): void {
    const running = this.#running();
    if (running.length === 0) return;
    const tab = this.#random.pick(running);
    for (const member of tab.members) this.#fault('freeze', member);
    tab.realm.freeze();
  }

  #thaw(): void {
    const frozen = this.#tabs.filter(({ realm }) => realm.state === 'frozen');
    if (frozen.length > 0) this.#thawTab(this.#random.pick(frozen).realm);
  }

  #thawTab(realm: Realm): void {
    const { members } = this.#tabs.find((tab) => tab.realm === realm)!;
    for (const member of members) this.#fault('thaw', member);
    realm.thaw();
  }

  #produce(): void {
    const running = this.#running();
    if (running.length === 0) return;
    const { producer, name } = this.#random.pick(running);
    const { recorder } = this.#world;
    const topic = this.#random.pick(TOPICS);
    for (let left = this.#random.int(1, 12); left > 0; left--) {
      const partition = this.#random.int(0, this.#partitions.get(topic)! - 1);
      const record = { key: this.#random.pick(['x', 'y', 'z']), value: 'v', partition };
      const sent = producer.send(topic, record).then(({ offset }) => {
        recorder.add({ kind: 'produced', topic, partition, offset });
      });
      void this.#expectNoError('send', sent, name);
    }
  }

  #getStuck(): void {
    const reader = this.#anyReader();
    if (reader !== undefined) reader.isStuck = true;
  }

  #commit(): void {
    void this.#anyReader()?.commit();
  }

  async #addPartition(): Promise<void> {
    const running = this.#running();
    const topic = this.#random.pick(TOPICS);
    const partitions = this.#partitions.get(topic)! + 1;
    if (running.length === 0 || partitions > MAX_PARTITIONS) return;
    const { log, name } = this.#random.pick(running);
    const added = this.#expectNoError(
      'add',
      log.admin.createPartitions([{ topic, partitions }]),
      name,
    );
    await this.#wait(500);
    await added;
    this.#partitions.set(topic, partitions);
  }

  #loseHints(): void {
    if (this.#world.losesHints) return;
    this.#world.losesHints = true;
  }

  #keepHints(): void {
    this.#world.losesHints = false;
  }

  async #wait(ms: number): Promise<void> {
    await this.#world.time.advance(ms);
  }

  async #drain(): Promise<void> {
    for (let waited = 0; waited < DRAIN_MS; waited += 1_000) {
      if (this.#readers().every(({ isClosed }) => isClosed)) this.#join();
      await this.#wait(1_000);
      for (const reader of this.#readers()) void reader.commit();
      await this.#wait(100);
      if (await this.#isDrained()) return;
    }
    this.wrong.push(`the log is not drained after ${DRAIN_MS} ms`);
  }

  async #isDrained(): Promise<boolean> {
    const { log } = this.#running()[0]!;
    const described = this.#group(log);
    await this.#wait(200);
    const group = await described;
    return (
      group.state === 'stable' &&
      group.partitions.every(({ lag, owner }) => lag === 0 && owner !== null)
    );
  }

  async #noteEnds(): Promise<void> {
    const { log } = this.#running()[0]!;
    const described = this.#group(log);
    await this.#wait(200);
    for (const { topic, partition, endOffset, committedOffset } of (await described).partitions) {
      const ends = { endOffset, committedOffset };
      this.#world.recorder.add({ kind: 'ended', topic, partition, ...ends });
    }
  }

  async #group(log: Log): Promise<GroupDescription> {
    return (await log.admin.describeGroups([GROUP]))[0];
  }

  #fault(what: 'crash' | 'freeze' | 'thaw', member: string): void {
    this.#world.recorder.add({ kind: 'fault', what, member });
  }

  async #expectNoError(what: string, promise: Promise<unknown>, who = 'walk'): Promise<void> {
    const error = await this.#world.recorder.track(what, who, promise);
    // A send is a RangeError while the tab does not know a new partition yet.
    if (error === undefined || error instanceof RangeError) return;
    this.wrong.push(`${what} failed: ${codeOf(error)}`);
  }

  #running(): Tab[] {
    return this.#tabs.filter(({ realm }) => realm.state === 'running');
  }

  #readers(): Reader[] {
    return this.#tabs.flatMap(({ readers }) => readers);
  }

  #anyReader(): Reader | undefined {
    const readers = this.#running().flatMap((tab) => tab.readers);
    return readers.length === 0 ? undefined : this.#random.pick(readers);
  }
}
