import { LOAD_FAILED } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { withDeadline } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import type { RecordCodec } from '../../record/compression/codec.ts';
import { lazyCodecs } from './lazy-codecs.ts';
import { lazyGzip } from './lazy-gzip.ts';
import type { Inflate, PartitionReader } from './partition-reader.ts';

/** The deadline of a codec's code, in milliseconds; with the grace of `withDeadline`, 10 s. */
const LOAD_DEADLINE_MS = 9_750;

/**
 * Loads the code of every codec that the segments need. Throws `LOAD_FAILED`, also where the code
 * neither comes nor fails in time.
 */
export function loadInflate(
  clock: Clock,
  reader: PartitionReader,
  segments: readonly ArrayBuffer[],
): Promise<Inflate> {
  const { partition, fetchOffset: offset } = reader;
  const where = { topic: reader.topic.name, partition };
  const load = async (): Promise<Inflate> => {
    const { inflate, loadCodecsFor } = await lazyCodecs.load();
    const gzip = async (): Promise<RecordCodec> => (await lazyGzip.load()).gzip;
    for (const segment of segments) {
      await loadCodecsFor(new Uint8Array(segment), where, { gzip });
    }
    return inflate;
  };
  return withDeadline(clock, LOAD_DEADLINE_MS, load(), () => {
    const happened = `the code of a codec has not come in ${LOAD_DEADLINE_MS} ms`;
    return new TablogError(LOAD_FAILED, happened, { details: { ...where, offset } });
  });
}
