import { describe, expect, it } from 'vitest';
import { ENGINE_NAMES, INSTALL, findEngine } from '../engines/engines.ts';
import { ROWS } from '../matrix/rows.ts';
import { runRow, useMatrixPage } from '../matrix/run-row.ts';
import { lengthOf, oneSeed } from '../support/seeds.ts';

/** Some rows of the fault matrix, in every engine that is installed; `npm run matrix` has the others. */
const FAULTS = ['tab reloaded', 'tab closed', 'only tab reloaded'].slice(0, lengthOf(1, 3));

const page = useMatrixPage();
const seed = oneSeed();

describe.each(ENGINE_NAMES)('in %s', (name) => {
  it.for(FAULTS)('nothing is lost or doubled: %s', async (fault, { skip }) => {
    const engine = await findEngine(name);
    if (engine === undefined) skip(`${name} is not installed: ${INSTALL[name]}`);
    const row = ROWS.find((each) => each.fault === fault)!;
    const report = await runRow({
      row,
      host: 'shared',
      engine: engine!,
      seed,
      server: page.server,
    });
    expect(report.failure, `TABLOG_SEED=${seed}`).toBeUndefined();
    expect(report.verdict).toMatchObject({ lost: 0, doubled: 0, problems: [] });
  });
});
