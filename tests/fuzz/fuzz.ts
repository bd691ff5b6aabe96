import { Random } from '../checker/random.ts';
import { hexOf } from '../support/batches.ts';
import { readCorpus } from './corpus.ts';
import { Doors, isTyped } from './doors.ts';
import { mutatedBatch, mutatedFile } from './mutate.ts';
import type { Mutated } from './mutate.ts';

export interface FuzzOptions {
  /** Batch number n of a seed is the same in every run. */
  readonly seed: number;
  readonly batches: number;
  /** The number of the first batch. Default 0. */
  readonly from?: number;
  readonly onProgress?: (batches: number, faults: readonly Fault[]) => void;
}

/** A batch that was answered by something other than a typed error, or too slowly. */
export interface Fault {
  readonly batch: number;
  readonly door: string;
  readonly problem: string;
  /** The names of the mutations. */
  readonly how: string;
  readonly hex: string;
}

export interface FuzzReport {
  readonly seed: number;
  readonly batches: number;
  /** How often each door gave each answer: an error's code, or 'accepted'. */
  readonly answers: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly faults: readonly Fault[];
  /** The number of records that were stored, and read back. */
  readonly records: number;
  /** The most CPU time of one batch, and its number. */
  readonly slowest: { readonly batch: number; readonly ms: number };
  /** The heap and the buffers in use after the first round and after the last one. */
  readonly memory: { readonly first: number; readonly last: number };
  /** The most memory of the process. */
  readonly maxRssBytes: number;
}

/** The memory of the process beyond which a batch was not bounded. */
const MAX_RSS_BYTES = 2 ** 30;

/** The growth of what is in use from the first round to the last, beyond which something leaks. */
const MAX_GROWTH_BYTES = 64 * 2 ** 20;

/** The CPU time in which all doors must have answered a batch. */
const MAX_BATCH_MS = 2_000;

/** The number of batches between two readings of what was taken in. */
const ROUND = 500;

/** More faults tell nothing new. */
const MAX_FAULTS = 20;

const MAX_SHOWN_BYTES = 4_096;

/** Sends mutated batches through every door. The same options give the same batches. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { seed, batches, from = 0, onProgress } = options;
  const corpus = await readCorpus();
  const doors = await Doors.open();
  const answers: Record<string, Record<string, number>> = {};
  const faults: Fault[] = [];
  let records = 0;
  let slowest = { batch: from, ms: 0 };
  let first: number | undefined;

  const at = async (
    door: string,
    batch: number,
    given: Mutated,
    work: () => unknown,
  ): Promise<void> => {
    let answer = 'accepted';
    try {
      await work();
    } catch (error) {
      if (isTyped(error)) answer = error.code;
      else {
        answer = 'untyped';
        const problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
        faults.push(faultOf(door, batch, given, problem));
      }
    }
    const counts = (answers[door] ??= {});
    counts[answer] = (counts[answer] ?? 0) + 1;
  };

  await doors.begin();
  for (let batch = from; batch < from + batches && faults.length < MAX_FAULTS; batch++) {
    const random = new Random(Math.imul(batch, 0x9e37_79b1) ^ seed);
    const given = mutatedBatch(random, corpus);
    const file = mutatedFile(random, corpus);
    const began = process.cpuUsage();
    await at('decode', batch, given, () => doors.decode(given.bytes));
    await at('produce', batch, given, () => doors.produce(given.bytes, random));
    await at('import', batch, file, () => doors.importFile(file.bytes, random));
    const { user, system } = process.cpuUsage(began);
    const ms = (user + system) / 1_000;
    if (ms > slowest.ms) slowest = { batch, ms };
    if (ms > MAX_BATCH_MS) faults.push(faultOf('all', batch, given, `took ${ms} ms of CPU`));
    const isLast = batch === from + batches - 1;
    if (!isLast && !doors.isFull && (batch + 1 - from) % ROUND !== 0) continue;
    await at('read back', batch, NOTHING, async () => {
      records += await doors.readBack();
    });
    await doors.begin();
    first ??= bytesInUse();
    onProgress?.(batch + 1 - from, faults);
  }
  await doors.close();
  const last = bytesInUse();
  const maxRssBytes = process.resourceUsage().maxRSS * 1_024;
  const memory = { first: first ?? last, last };
  const end = from + batches - 1;
  if (gc !== undefined && maxRssBytes > MAX_RSS_BYTES) {
    faults.push(faultOf('all', end, NOTHING, `took ${maxRssBytes} bytes of memory`));
  }
  if (gc !== undefined && last - memory.first > MAX_GROWTH_BYTES) {
    faults.push(faultOf('all', end, NOTHING, `left ${last - memory.first} bytes in use`));
  }
  return { seed, batches, answers, faults, records, slowest, memory, maxRssBytes };
}

const NOTHING: Mutated = { bytes: new Uint8Array(), how: '' };

function faultOf(door: string, batch: number, { how, bytes }: Mutated, problem: string): Fault {
  return { batch, door, problem, how, hex: hexOf(bytes.subarray(0, MAX_SHOWN_BYTES)) ?? '' };
}

/** Without `--expose-gc`, as in a test, what is in use tells nothing. */
const { gc } = globalThis as { gc?: () => void };

function bytesInUse(): number {
  gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
