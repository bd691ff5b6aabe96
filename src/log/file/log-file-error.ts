import { INVALID_LOG_FILE } from '../../base/error-rules.ts';
import { errorMessage } from '../../base/error-text.ts';
import { TablogError } from '../../base/error.ts';
import { FIELD, viewOf } from '../../record/batch-format.ts';

/** A place in the files of an import. */
export interface LogFilePlace {
  /** The file's bytes. */
  readonly bytes: Uint8Array;
  /** The file's number, from 0, of `files`. */
  readonly file: number;
  readonly files: number;
  /** The byte at which a batch begins, or should. */
  readonly at: number;
}

/** A fault of a batch, and the next step where that of `INVALID_LOG_FILE` is not enough. */
export class LogFileFault extends Error {
  readonly next: string | undefined;

  constructor(message: string, next?: string) {
    super(message);
    this.next = next;
  }
}

const NO_LOG =
  "Nothing was imported: pass the .log files of a partition's folder, and not those of its indexes.";

/** `INVALID_LOG_FILE`, with the byte, the batch and the next step. */
export function invalidLogFile(place: LogFilePlace, cause: unknown): TablogError {
  const { bytes, at, file, files } = place;
  const where = files === 1 ? `byte ${at}` : `byte ${at} of file ${file + 1} of ${files}`;
  const rule = { ...INVALID_LOG_FILE, next: nextOf(place, cause) };
  return new TablogError(rule, `the batch at ${where}: ${whyOf(cause)}`, {
    details: { at, file, baseOffset: offsetAt(bytes, at) },
    cause,
  });
}

function nextOf({ at, files }: LogFilePlace, cause: unknown): string {
  if (cause instanceof LogFileFault && cause.next !== undefined) return cause.next;
  if (at === 0) return files === 1 ? NO_LOG : INVALID_LOG_FILE.next;
  return `Nothing was imported: copy the file once more, or pass what is before, file.slice(0, ${at}).`;
}

function offsetAt(bytes: Uint8Array, at: number): number | string | null {
  if (at + FIELD.batchLength > bytes.length) return null;
  const offset = viewOf(bytes).getBigInt64(at);
  return Number.isSafeInteger(Number(offset)) ? Number(offset) : String(offset);
}

function whyOf(cause: unknown): string {
  if (cause instanceof TablogError) return cause.happened;
  return errorMessage(cause);
}
