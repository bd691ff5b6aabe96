import { withDeadline } from '../platform/clock.ts';
import type { Clock } from '../platform/clock.ts';
import { lazyAdminCalls } from './admin/lazy-admin-calls.ts';
import { lazyCodecs } from './fetch/lazy-codecs.ts';
import { lazyDecodeErrors } from './poll/lazy-decode-errors.ts';
import { lazyGroupMember } from './group/lazy-group-member.ts';
import { lazyGzip } from './fetch/lazy-gzip.ts';
import { lazyLogCalls } from './admin/lazy-log-calls.ts';
import { lazyLogStatuses } from './status/lazy-log-statuses.ts';
import { lazyHeldSubmissions } from './producer/lazy-held-submissions.ts';
import type { LazyModule } from '../base/lazy-module.ts';
import { lazyRawBatches } from './producer/lazy-raw-batches.ts';
import { lazyBatchFailure } from './producer/lazy-batch-failure.ts';
import { lazyStoredBatches } from './poll/lazy-stored-batches.ts';
import { lazyRunner } from './run/lazy-runner.ts';
import { lazyWitnessWriter } from './connection/lazy-witness-writer.ts';
import { lazyTransactionManager } from './transaction/lazy-transaction-manager.ts';

/**
 * The deadline of loading, in milliseconds; with the grace that `withDeadline` adds, 10 s. The parts
 * load beside the start of the worker, which has as long.
 */
const LOAD_DEADLINE_MS = 9_750;

/** Every lazy part of the tab's code. */
const PARTS: readonly AnyPart[] = [
  lazyAdminCalls,
  lazyCodecs,
  lazyDecodeErrors,
  lazyGroupMember,
  lazyGzip,
  lazyRawBatches,
  lazyLogCalls,
  lazyLogStatuses,
  lazyHeldSubmissions,
  lazyStoredBatches,
  lazyRunner,
  lazyBatchFailure,
  lazyTransactionManager,
  lazyWitnessWriter,
];

type AnyPart = Pick<LazyModule<object>, 'load' | 'failure'>;

/** Loads the parts that are not loaded yet. Throws `LOAD_FAILED`. */
export async function loadModules(clock: Clock, parts: readonly AnyPart[] = PARTS): Promise<void> {
  await Promise.all(
    parts.map((part) => {
      const late = (): Error => part.failure(`nothing came in ${LOAD_DEADLINE_MS} ms`);
      return withDeadline(clock, LOAD_DEADLINE_MS, part.load(), late);
    }),
  );
}
