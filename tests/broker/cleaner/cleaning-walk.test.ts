import { expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { TablogError } from '../../../src/base/error.ts';
import type { PartitionCleaner } from '../../../src/broker/cleaner/partition-cleaner.ts';
import { Random } from '../../checker/random.ts';
import type { TestBroker } from '../../support/broker-fixture.ts';
import type { FaultStore } from '../../support/fault-store.ts';
import { RoughStore } from '../../support/rough-store.ts';
import { FAULT_KINDS } from '../fault-kinds.ts';
import { MaintainedPartition } from './cleaned-partition.ts';
import type { Checked, Entry, MayGo } from './cleaned-partition.ts';
import { lengthOf, seedsOf } from '../../support/seeds.ts';
import { useNoHints } from '../../support/stub-globals.ts';
import { idle } from '../../support/waiting.ts';

const seeds = seedsOf(lengthOf(80, 200));

const DAY_MS = 86_400_000;

/** Several append to a partition, look after it and delete of it, while all that can fail does. */
class Walk {
  readonly kept: MaintainedPartition;
  readonly #random: Random;
  readonly #rough: readonly TestBroker[];
  readonly #rowBytes: number;
  readonly #deleteRetentionMs: number;
  readonly #compacts: boolean;
  /** Of the calls that are held. */
  readonly #releases: (() => void)[] = [];
  readonly #late: Promise<unknown>[] = [];
  #isRough = true;
  #now = 0;
  /** Up to which records were to be deleted, and were for certain. */
  #asked = 0;
  #deleted = 0;

  private constructor(kept: MaintainedPartition, random: Random) {
    this.kept = kept;
    this.#random = random;
    this.#rowBytes = random.pick([0, 0, 0, 200_000]);
    this.#deleteRetentionMs = random.pick([0, DAY_MS]);
    this.#compacts = random.chance(0.7);
    const openStore = async (): Promise<FaultStore> => this.#connect();
    this.#rough = [kept.log.broker({ openStore }), kept.log.broker({ openStore })];
  }

  static async run(seed: number): Promise<void> {
    const random = new Random(seed);
    const walk = new Walk(await MaintainedPartition.open(), random);
    if (walk.#rowBytes > 0) await walk.kept.fill(8, walk.#rowBytes);
    else await walk.kept.fill(random.pick([0, 20, 260]));
    for (let steps = random.int(10, 30); steps > 0; steps--) await walk.#step();
    await walk.#end();
  }

  #connect(): FaultStore {
    const fail = (store: FaultStore): void => this.#failSome(store);
    return new RoughStore(this.kept.log.store, { read: fail, update: fail });
  }

  #failSome(store: FaultStore): void {
    if (!this.#isRough || !this.#random.chance(0.2)) return;
    const released = deferred();
    this.#releases.push(released.resolve);
    store.failNth(0, this.#random.pick(FAULT_KINDS).fault(released.promise));
  }

  async #step(): Promise<void> {
    const { kept } = this;
    const random = this.#random;
    const act = random.next();
    if (act < 0.3) await this.#append(random.pick([...this.#rough, kept.broker]));
    else if (act < 0.65) this.#begin(this.#work(kept.keeper(this.#connect())));
    else if (act < 0.72) await this.#work(kept.keeper());
    else if (act < 0.8) this.#begin(this.#deleteRecords(random.pick(this.#rough)));
    else if (act < 0.92) this.#releases.splice(random.int(0, 3), 1).forEach((release) => release());
    else await this.#check();
    if (random.chance(0.5)) await idle();
  }

  /** All goes well from now on, but for what hangs for good. */
  async #end(): Promise<void> {
    const { kept } = this;
    this.#isRough = false;
    const isLeftHanging = this.#random.chance(0.3);
    if (!isLeftHanging) {
      for (const release of this.#releases) release();
      await Promise.all(this.#late);
    }
    await idle();
    await this.#check();
    const keeper = kept.keeper();
    await keeper.sweep();
    await keeper.merge();
    if (this.#compacts) await this.#compact(keeper);
    await kept.append([{ key: 'last', value: 'z' }]);
    const checked = await this.#check();
    const { head, rows } = checked;
    expect(rows[1]?.baseOffset ?? head.endOffset).toBeGreaterThan(head.startOffset);
    await kept.checkRead(checked);
    await kept.sendAgain();
    for (const { broker } of [kept.broker, ...this.#rough]) broker.close();
  }

  #begin(work: Promise<unknown>): void {
    const failed = (error: unknown): void => {
      if (!(error instanceof TablogError)) throw error;
    };
    this.#late.push(work.catch(failed));
  }

  async #append(through: TestBroker): Promise<void> {
    const random = this.#random;
    const entries = Array.from({ length: random.int(1, 3) }, (): Entry => {
      const isLong = this.#rowBytes > 0 && random.chance(0.3);
      const value = String(this.kept.end).padEnd(isLong ? this.#rowBytes : 0, '.');
      return { key: `k${random.int(0, 6)}`, value: random.chance(0.3) ? null : value };
    });
    const { late } = await this.kept.append(entries, through);
    this.#late.push(late);
  }

  #work(keeper: PartitionCleaner): Promise<unknown> {
    const work = this.#random.pick(['merge', 'sweep', 'moveStart', 'compact', 'compact'] as const);
    if (work === 'moveStart') return keeper.moveStart(this.#place());
    if (work !== 'compact') return keeper[work]();
    if (!this.#compacts) return keeper.merge();
    return this.#compact(keeper);
  }

  #compact(keeper: PartitionCleaner): Promise<boolean> {
    const now = ++this.#now;
    return keeper.compact(this.#deleteRetentionMs, () => now);
  }

  async #deleteRecords({ broker }: TestBroker): Promise<void> {
    const before = this.#place();
    const topicId = this.kept.topic.id;
    const [start] = await broker.deleteRecords([{ topicId, partition: 0, before }]);
    expect(start).toBeGreaterThanOrEqual(before);
    this.#deleted = Math.max(this.#deleted, before);
  }

  /** Not far behind where the last one was. */
  #place(): number {
    const to = Math.min(this.#asked + this.#random.int(0, 5), this.kept.end);
    this.#asked = Math.max(this.#asked, to);
    return to;
  }

  async #check(): Promise<Checked> {
    const tombstones: MayGo = this.#deleteRetentionMs === 0 ? 'tombstones too' : 'what is replaced';
    const checked = await this.kept.check(this.#compacts ? tombstones : 'nothing');
    expect(checked.head.startOffset).toBeGreaterThanOrEqual(this.#deleted);
    expect(checked.head.startOffset).toBeLessThanOrEqual(this.#asked);
    return checked;
  }
}

useNoHints();

test('whatever fails, what is acked stays, once and in order, and nothing is half done', async () => {
  for (const seed of seeds) {
    await Walk.run(seed).catch((cause: unknown) => {
      throw new Error(`TABLOG_SEED=${seed}`, { cause });
    });
  }
}, 600_000);
