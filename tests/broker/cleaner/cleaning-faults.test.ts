import { describe, expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import type { PartitionCleaner } from '../../../src/broker/cleaner/partition-cleaner.ts';
import { isWorthMerging } from '../../../src/log/cleaning/rewrite.ts';
import { FAULT_KINDS } from '../fault-kinds.ts';
import type { FaultKind } from '../fault-kinds.ts';
import { MaintainedPartition } from './cleaned-partition.ts';
import type { Checked, MayGo } from './cleaned-partition.ts';
import { useNoHints } from '../../support/stub-globals.ts';
import { idle } from '../../support/waiting.ts';

const DAY_MS = 86_400_000;

/** What a keeper does. */
interface Work {
  readonly name: string;
  readonly rows: number;
  readonly rowBytes: number;
  readonly mayGo?: MayGo;
  begin?(keeper: PartitionCleaner): Promise<unknown>;
  run(keeper: PartitionCleaner): Promise<unknown>;
  /** However much of it has been done. */
  check?(contents: Checked): void;
  /** It has been done to its end. */
  checkDone(contents: Checked): void;
}

const KEPT_BYTES = 500_000;

const compaction = {
  mayGo: 'what is replaced' as const,
  run: (keeper: PartitionCleaner): Promise<unknown> => keeper.compact(DAY_MS, () => 0),
  checkDone({ head }: Checked): void {
    expect(head.compaction.cleaned.at(-1)!.to).toBeGreaterThanOrEqual(10);
  },
};

const merge = {
  run: (keeper: PartitionCleaner): Promise<unknown> => keeper.merge(),
  checkDone({ head }: Checked): void {
    expect(isWorthMerging(head)).toBe(false);
    expect(head.segments).toBeLessThan(10);
  },
};

const WORKS: readonly Work[] = [
  { name: 'compact', rows: 40, rowBytes: 0, ...compaction },
  { name: 'compact, in steps,', rows: 10, rowBytes: 500_000, ...compaction },
  { name: 'merge', rows: 256, rowBytes: 0, ...merge },
  { name: 'merge, in steps,', rows: 11, rowBytes: 200_000, ...merge },
  {
    name: 'sweep, in steps,',
    rows: 5,
    rowBytes: 400_000,
    begin: (keeper) => keeper.moveStart(4),
    run: (keeper) => keeper.sweep(),
    check: ({ head }) => expect(head.startOffset).toBe(4),
    checkDone: ({ head }) => expect(head.rowsFrom).toBe(4),
  },
  {
    name: 'fit, in steps,',
    rows: 6,
    rowBytes: 400_000,
    run: (keeper) => keeper.fit(KEPT_BYTES, Infinity),
    check: ({ head }) => expect(head.bytes).toBeGreaterThanOrEqual(KEPT_BYTES),
    checkDone: ({ head, rows }) =>
      expect(head.bytes - rows[0]!.bytes.byteLength).toBeLessThan(KEPT_BYTES),
  },
  {
    name: 'moveStart',
    rows: 10,
    rowBytes: 0,
    run: (keeper) => keeper.moveStart(5),
    check: ({ head }) => expect([0, 1, 5]).toContain(head.startOffset),
    checkDone: ({ head }) => expect(head.startOffset).toBe(5),
  },
];

/** When a call that is held goes on. */
type Release = 'before others do it' | 'after a sweep' | 'after others did it' | 'never';

function releasesOf({ rowBytes }: Work, { isHeld }: FaultKind): readonly Release[] {
  if (!isHeld) return ['never'];
  if (rowBytes > 0) return ['after others did it']; // megabytes take their time
  return ['before others do it', 'after a sweep', 'after others did it', 'never'];
}

/** Whether the work came to its `nth` call. */
async function faultAt(
  kept: MaintainedPartition,
  work: Work,
  nth: number,
  kind: FaultKind,
  release: Release,
): Promise<boolean> {
  const check = async (): Promise<Checked> => {
    const contents = await kept.check(work.mayGo);
    work.check?.(contents);
    return contents;
  };
  const store = kept.connect();
  const released = deferred();
  store.failNth(nth, kind.fault(released.promise));
  const slow = work.run(kept.keeper(store)).catch(() => {});
  if (kind.isHeld) await idle();
  else await slow;
  const isReached = store.calls > nth;
  await check();
  await kept.append([{ key: 'k1', value: 'meanwhile' }]);
  if (release === 'after a sweep') {
    await kept.keeper().moveStart(1);
    await kept.keeper().sweep();
  }
  if (release === 'before others do it' || release === 'after a sweep') {
    released.resolve();
    await slow;
    await check();
  }
  await work.run(kept.keeper());
  await kept.append([{ key: 'k2', value: null }]);
  work.checkDone(await check());
  if (release === 'after others did it') {
    released.resolve();
    await slow;
    await check();
  }
  await work.run(kept.keeper());
  const checked = await check();
  work.checkDone(checked);
  await kept.checkRead(checked);
  await kept.sendAgain();
  kept.broker.broker.close();
  return isReached;
}

useNoHints();

describe.each(WORKS)('$name, of which a call', (work) => {
  test.each(FAULT_KINDS)('$name', async (kind) => {
    const filled = await MaintainedPartition.open();
    await filled.fill(work.rows, work.rowBytes);
    await work.begin?.(filled.keeper());
    let nth = 0;
    for (const release of releasesOf(work, kind)) {
      for (nth = 0; await faultAt(await filled.copy(), work, nth, kind, release); nth++);
    }
    expect(nth).toBeGreaterThanOrEqual(work.name === 'moveStart' ? 1 : 3);
  });
});
