import { closeSync, openSync, readSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { changeSegment } from '../foreign-script.ts';
import type { RowChange } from '../foreign-script.ts';
import { ALL_HOSTS } from '../row.ts';
import type { Row } from '../row.ts';
import { databaseFiles, leaveAndQuit, openWhatIsLeft } from '../database-files.ts';

const ROW_CHANGES: readonly RowChange[] = ['overwritten', 'removed', 'of another type'];

const HEADER_BYTES = 100;
const PAGE_BYTES = 4_096;

/** Deeds to a file, each what a failing disk, a full one or another program does. */
const FILE_CHANGES: Readonly<Record<string, (file: string) => void>> = {
  'cut to half': (file) => truncateSync(file, Math.floor(statSync(file).size / 2)),
  'cut to nine tenths': (file) => truncateSync(file, Math.floor(statSync(file).size * 0.9)),
  emptied: (file) => truncateSync(file, 0),
  removed: (file) => rmSync(file),
  'overwritten at its beginning': (file) =>
    change(file, 0, HEADER_BYTES, (bytes) => bytes.fill(0x5a)),
  'overwritten with zeros in its middle': (file) =>
    change(file, Math.floor(statSync(file).size / 2), PAGE_BYTES, (bytes) => bytes.fill(0)),
  'with a bit flipped in its middle': (file) =>
    change(file, Math.floor(statSync(file).size / 2), 1, (bytes) => (bytes[0]! ^= 1)),
  'with garbage at its end': (file) =>
    change(file, statSync(file).size, PAGE_BYTES, (bytes) => bytes.fill(0xa5)),
};

/** Damage to what is stored. */
export const CORRUPTION_ROWS: readonly Row[] = [
  ...ROW_CHANGES.map((change): Row => ({
    fault: `stored row ${change} by a foreign script`,
    hosts: ALL_HOSTS,
    async inject(run) {
      const chance = run.random.next();
      await run.fault(`row ${change}`, () =>
        run.actors[0]!.page.evaluate(changeSegment, { change, chance }),
      );
    },
  })),
  ...Object.entries(FILE_CHANGES).map(([name, changeFile]): Row => ({
    fault: `largest database file ${name}, while the browser is closed`,
    hosts: ['shared'],
    async inject(run) {
      await run.fault(name, async () => {
        await leaveAndQuit(run);
        const files = databaseFiles(run.profile.folder);
        const sizeOf = (file: string): number => statSync(file).size;
        changeFile(files.toSorted((a, b) => sizeOf(b) - sizeOf(a))[0]!);
        await run.startBrowser();
        await openWhatIsLeft(run, 2);
      });
    },
  })),
];

function change(file: string, at: number, length: number, edit: (bytes: Buffer) => unknown): void {
  const bytes = Buffer.alloc(length);
  const open = openSync(file, 'r+');
  readSync(open, bytes, 0, length, at);
  edit(bytes);
  writeSync(open, bytes, 0, length, at);
  closeSync(open);
}
