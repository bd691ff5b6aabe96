import { LOG_CORRUPT, UNKNOWN_TOPIC } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import type { ScrubCursor, ScrubRequest, ScrubbedRows } from '../../protocol/scrub.ts';
import type { TopicInfo } from '../../protocol/topic.ts';
import { isInMemory } from '../../protocol/topic-id.ts';
import type { ScrubFault, ScrubReport, ScrubbedPartition } from './admin-options.ts';
import type { BrokerCalls } from './broker-calls.ts';

type Scrubbed = ScrubbedPartition & { readonly faults: readonly ScrubFault[] };

/**
 * Checks the stored rows of these topics, and the rows that are of no topic. The tab asks for one
 * short read after the other: the worker serves other calls in between, and needs no memory of the
 * check, so it goes on after the death of a worker.
 */
export async function scrubTopics(
  broker: BrokerCalls,
  topics: readonly TopicInfo[],
  signal: AbortSignal | undefined,
): Promise<ScrubReport> {
  const rows = await broker.ask('scrubRows', null, signal);
  const faults: ScrubFault[] = rows.map((fault) => ({ topic: null, partition: null, ...fault }));
  const partitions: ScrubbedPartition[] = [];
  for (const topic of topics) {
    if (isInMemory(topic.id)) continue;
    for (let partition = 0; partition < topic.partitions; partition++) {
      const scrubbed = await scrubPartition(broker, topic, partition, signal);
      if (scrubbed === undefined) continue;
      const { faults: found, ...counts } = scrubbed;
      partitions.push(counts);
      faults.push(...found);
    }
  }
  return { partitions, faults };
}

/** `undefined`: the topic was deleted meanwhile. */
async function scrubPartition(
  broker: BrokerCalls,
  { name: topic, id: topicId }: TopicInfo,
  partition: number,
  signal: AbortSignal | undefined,
): Promise<Scrubbed | undefined> {
  let counts = { batches: 0, records: 0, bytes: 0 };
  const faults: ScrubFault[] = [];
  let cursor: ScrubCursor | null = null;
  do {
    try {
      const request: ScrubRequest = { topicId, partition, cursor };
      const rows: ScrubbedRows = await broker.ask('scrubPartition', request, signal);
      counts = {
        batches: counts.batches + rows.batches,
        records: counts.records + rows.records,
        bytes: counts.bytes + rows.bytes,
      };
      for (const fault of rows.faults) add(faults, { topic, partition, ...fault });
      cursor = rows.next;
    } catch (error) {
      if (!(error instanceof TablogError)) throw error;
      const { code, message } = error;
      if (code === UNKNOWN_TOPIC.code) return undefined;
      if (code !== LOG_CORRUPT.code) throw error;
      faults.push({ topic, partition, from: null, to: null, code, message });
      cursor = null;
    }
  } while (cursor !== null);
  return { topic, partition, ...counts, faults };
}

/** Adds a fault. Neighbours with the same fault are one, so that a report is not as long as a log. */
function add(faults: ScrubFault[], fault: ScrubFault): void {
  const last = faults.at(-1);
  const { from, message } = fault;
  const isSame = from !== null && last?.to === from && last.message === message;
  if (isSame) faults[faults.length - 1] = { ...last, to: fault.to };
  else faults.push(fault);
}
