import { beforeAll, expect, test } from 'vitest';
import {
  OUTCOME_UNKNOWN,
  STORAGE_FULL,
  STORAGE_UNAVAILABLE,
  WORKER_LOST,
} from '../../../src/base/error-rules.ts';
import { TablogError } from '../../../src/base/error.ts';
import { loadModules } from '../../../src/client/load-modules.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import { SendBatchError, topic } from '../../../src/index.ts';
import type { Producer, RecordMetadata, SendRawOptions } from '../../../src/index.ts';
import { openMemoryStore } from '../../../src/store/memory-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { Random } from '../../checker/random.ts';
import { batchOf, recordOf } from '../../support/batches.ts';
import { FaultStore } from '../../support/fault-store.ts';
import { RoughStore } from '../../support/rough-store.ts';
import { readAll } from '../../support/log-fixture.ts';
import { World, told, turns } from './producer-fixture.ts';
import type { Fate } from './producer-fixture.ts';
import { lengthOf, seedsOf } from '../../support/seeds.ts';
import { useNoHints } from '../../support/stub-globals.ts';
import { idle } from '../../support/waiting.ts';

useNoHints();

/** The reason of every signal that aborts. */
const WITHDRAWN = 'withdrawn';

/** A record that was sent on a walk, and what `send` said of it. */
interface Walked {
  readonly value: string;
  readonly producer: number;
  readonly partition: number;
  readonly expectedOffset: number | undefined;
  result: RecordMetadata | TablogError | typeof WITHDRAWN | undefined;
}

const seeds = seedsOf(lengthOf(100, 300));

/** Has the next transactions of a connection fail, each in its own way, as long as `isRough`. */
function roughStore(inner: Store, random: Random, isRough: () => boolean): FaultStore {
  return new RoughStore(inner, {
    update(store) {
      if (!isRough() || !random.chance(0.4)) return;
      const until = wait(random.int(0, 4));
      const closes = random.chance(0.4) ? { closes: told(STORAGE_UNAVAILABLE) } : {};
      const error = random.pick([OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, STORAGE_UNAVAILABLE]);
      const stored = error === OUTCOME_UNKNOWN && random.chance(0.6);
      if (random.chance(0.2)) store.failNext({ until });
      else if (random.chance(0.15)) store.failNext({ until, error: told(STORAGE_FULL) });
      else store.failNext({ until, error: told(error), stored, ...closes });
    },
  });
}

/** As many turns of the event loop. */
async function wait(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await idle();
}

/** Has requests and answers take a while, and some get lost. */
function roughRoad(random: Random, isRough: () => boolean, hangs: boolean): Fate {
  return async (request, real) => {
    if (!isRough()) return real(request);
    await wait(random.int(0, 3));
    if (random.chance(0.08)) throw told(random.pick([OUTCOME_UNKNOWN, WORKER_LOST]));
    if (hangs && random.chance(0.05)) {
      // The tab gives up a worker that hangs, and that then goes on.
      void wait(random.int(1, 20)).then(() => real(request));
      throw told(OUTCOME_UNKNOWN);
    }
    const results = await real(request);
    await wait(random.int(0, 3));
    if (random.chance(0.12)) throw told(OUTCOME_UNKNOWN);
    return results;
  };
}

/** What `sendRaw` says of its only batch. */
async function sendRaw(
  producer: Producer,
  partition: number,
  value: string,
  options: SendRawOptions,
): Promise<RecordMetadata> {
  const batch = batchOf([recordOf({ value: new TextEncoder().encode(value) })], {
    producer: { id: 1, epoch: 2, sequence: 3 },
  });
  try {
    const [place] = await producer.sendRaw('t', partition, batch, options);
    return place!;
  } catch (error) {
    throw error instanceof SendBatchError ? error.results[0] : error;
  }
}

/**
 * Sends from two tabs while everything fails, then mends it and looks what there is. `isVaried`:
 * some records are sent as raw batches, and some are withdrawn by signals.
 */
async function walk(seed: number, isVaried: boolean): Promise<string[]> {
  const random = new Random(seed);
  const store = openMemoryStore(0);
  const world = new World(store);
  let isRough = false;
  const isPatient = random.chance(0.6);
  const hangs = random.chance(0.5);
  const deliveryTimeoutMs = isPatient ? 120_000 : random.pick([0, 300, 1_000]);
  const tabs = [1, 2].map(() => world.tab(() => roughStore(store, random, () => isRough)));
  const reader = world.tab(() => new FaultStore(store)).log;
  await reader.admin.createTopics([topic('t', { partitions: 2 })]);
  const producers = tabs.map(({ log, host }) => {
    host.answer(
      'produce',
      roughRoad(random, () => isRough, hangs),
    );
    const batchBytes = random.pick([1, 1, 200, 1_000]);
    const lingerMs = random.pick([0, 0, 50]);
    return log.producer({ batchBytes, lingerMs, deliveryTimeoutMs });
  });
  for (const { log } of tabs) await log.admin.listOffsets([{ topic: 't', at: 'latest' }]);
  isRough = true;

  const sent: Walked[] = [];
  const aborting = producers.map(() => new AbortController());
  const steps = random.int(10, 40);
  for (let step = 0; step < steps; step++) {
    const which = random.int(0, 1);
    const producer = producers[which]!;
    for (let burst = random.int(1, 6); burst > 0; burst--) {
      const partition = random.int(0, 1);
      const known = sent.filter((other) => other.partition === partition).length;
      // Also ahead of the end: such a one may be right when a worker that hung goes on.
      const expects = random.chance(0.4);
      const expectedOffset = expects ? random.int(Math.max(known - 3, 0), known + 1) : undefined;
      const value = `${which}-${sent.length}`.padEnd(10);
      const record: Walked = {
        value,
        producer: which,
        partition,
        expectedOffset,
        result: undefined,
      };
      sent.push(record);
      const expected = expectedOffset === undefined ? {} : { expectedOffset };
      const isSignalled = isVaried && random.chance(0.5);
      const options = isSignalled ? { signal: aborting[which]!.signal } : {};
      const placing =
        isVaried && random.chance(0.3)
          ? sendRaw(producer, partition, value, { ...options, ...expected })
          : producer.send('t', { value, partition, ...expected }, options);
      placing.then(
        (placement) => (record.result = placement),
        (error: unknown) => (record.result = error as TablogError | typeof WITHDRAWN),
      );
    }
    if (isVaried && random.chance(0.3)) {
      aborting[which]!.abort(WITHDRAWN);
      aborting[which] = new AbortController();
    }
    if (random.chance(0.3)) void producer.flush();
    if (random.chance(0.5)) await wait(random.int(1, 8));
    if (random.chance(0.3)) world.clock.advance(random.int(1, 200));
  }
  isRough = !isPatient && random.chance(0.5); // until all are stored or given up
  await world.passing(Promise.all(producers.map((producer) => producer.close())));
  await idle();
  const left = sent.filter(({ result }) => result === undefined);
  const early = left.map(({ value }) => `${value} has no answer, and close() has resolved`);
  isRough = false;
  await turns(); // workers that hung are done
  const stored = await readAll(reader, 't');
  const problems = problemsOf(
    sent,
    stored.map(({ partition, offset, value }) => ({
      partition,
      offset,
      value: Buffer.from(value!).toString(),
    })),
    isPatient,
  );
  await Promise.all([...tabs.map(({ log }) => log.close()), reader.close()]);
  return [...early, ...problems];
}

interface Stored {
  readonly partition: number;
  readonly offset: number;
  readonly value: string;
}

/** What of the promises to a producer was not kept. */
function problemsOf(
  sent: readonly Walked[],
  stored: readonly Stored[],
  isPatient: boolean,
): string[] {
  const problems: string[] = [];
  const last = new Map<string, number>();
  const indices = new Map(sent.map(({ value }, i) => [value, i]));
  for (const { partition, offset, value } of stored) {
    const index = indices.get(value);
    const key = `${partition}/${value.slice(0, 1)}`;
    if (index === undefined) problems.push(`${value} was never sent`);
    else if ((last.get(key) ?? -1) >= index) problems.push(`${value} at ${offset} is out of order`);
    last.set(key, index ?? -1);
  }
  for (const { value, partition, expectedOffset, result } of sent) {
    const places = stored.filter((message) => message.value === value);
    if (places.length > 1) problems.push(`${value} is stored ${places.length} times`);
    if (result === undefined) continue;
    if (result === WITHDRAWN) {
      if (places.length > 0) problems.push(`${value} is stored, and was withdrawn`);
      continue;
    }
    if (!(result instanceof TablogError)) {
      const [place] = places;
      if (place?.offset !== result.offset || place.partition !== partition) {
        problems.push(`${value} is at ${place?.offset}, and was acked at ${result.offset}`);
      }
      if (expectedOffset !== undefined && expectedOffset !== result.offset) {
        problems.push(`${value} was expected at ${expectedOffset}, and is at ${result.offset}`);
      }
    } else {
      if (isPatient && !FOR_GOOD.has(result.code)) problems.push(`${value}: ${result.message}`);
      if (places.length > 0 && result.code !== 'OUTCOME_UNKNOWN') {
        problems.push(`${value} is stored, and was told ${result.code}`);
      }
      if (result.code === 'CONFLICT' && expectedOffset === undefined) {
        problems.push(`${value} is in conflict, and expected no offset`);
      }
    }
  }
  return problems;
}

/** What ends a record at once. */
const FOR_GOOD: ReadonlySet<string> = new Set(['STORAGE_FULL', 'CONFLICT']);

beforeAll(() => loadModules(systemClock)); // as `openLog` does

test.each([
  ['whatever fails', false],
  ['whatever fails, is withdrawn or was made elsewhere', true],
])(
  '%s, what is acked is stored once and in order, and nothing else twice',
  async (_, isVaried) => {
    const problems: string[] = [];
    for (const seed of seeds) {
      for (const problem of await walk(seed, isVaried)) {
        problems.push(`TABLOG_SEED=${seed}: ${problem}`);
      }
    }
    expect(problems).toEqual([]);
  },
  600_000,
);
