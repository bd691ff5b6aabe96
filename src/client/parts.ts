import { withDeadline } from '../base/clock.ts';
import type { Clock } from '../base/clock.ts';
import { codecsPart } from './codecs-part.ts';
import { decodeErrorsPart } from './decode-errors-part.ts';
import { groupMemberPart } from './group-member-part.ts';
import { gzipPart } from './gzip-part.ts';
import { logFilePart } from './log-file-part.ts';
import type { Part } from './part.ts';
import { runnerPart } from './runner-part.ts';
import { transactorPart } from './transactor-part.ts';

/** As long as a worker and its store can take to start: the parts load beside them. */
const LOAD_DEADLINE_MS = 20_000;

/** Every part of the tab's code. */
const PARTS: readonly AnyPart[] = [
  codecsPart,
  decodeErrorsPart,
  groupMemberPart,
  gzipPart,
  logFilePart,
  runnerPart,
  transactorPart,
];

type AnyPart = Pick<Part<object>, 'load' | 'failure'>;

/** Loads the parts that are not loaded yet. Throws `LOAD_FAILED`. */
export async function loadParts(clock: Clock, parts: readonly AnyPart[] = PARTS): Promise<void> {
  await Promise.all(
    parts.map((part) => {
      const late = (): Error => part.failure(`nothing came in ${LOAD_DEADLINE_MS} ms`);
      return withDeadline(clock, LOAD_DEADLINE_MS, part.load(), late);
    }),
  );
}
