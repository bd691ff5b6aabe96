import type { Durability } from '../store.ts';

/** A parameter of a statement. */
export type SqliteValue = number | string | ArrayBuffer | null;

/** A row of a result, by the names of its columns; integers are numbers. */
export type SqliteRow = Readonly<Record<string, unknown>>;

/**
 * What the store asks of a SQLite, whose libraries differ in how they bind, in how they begin a
 * transaction, and in their errors. Every method is synchronous, and throws a `SqliteFault` where
 * SQLite fails.
 */
export interface SqliteDriver {
  /** Whether other connections can reach the same database, in this process or in others. */
  readonly isShared: boolean;
  /** Prepares the database before its first use. */
  begin(): void;
  all(sql: string, ...values: readonly SqliteValue[]): readonly SqliteRow[];
  run(sql: string, ...values: readonly SqliteValue[]): void;
  /** Reads as of one moment. */
  snapshot<T>(read: () => T): T;
  /**
   * Runs `work` as a transaction that no other connection writes during. Where `work` throws,
   * nothing is written, and its error is thrown on.
   */
  transaction<T>(work: () => T, durability: Durability): T;
  /**
   * Resolves when the transactions that have returned are as safe as `durability` says; `undefined`
   * where they are so already.
   */
  flushed(durability: Durability): Promise<void> | undefined;
}

/** A failure of SQLite, whichever library reports it. */
export class SqliteFault extends Error {
  /** The primary result code without its prefix, such as 'BUSY': https://sqlite.org/rescode.html */
  readonly result: string;
  /** Whether the transaction may have been stored all the same. */
  readonly isUnknown: boolean;

  constructor(cause: unknown, options: { readonly isUnknown?: boolean } = {}) {
    super(messageOf(cause), { cause });
    this.result = resultOf(cause);
    this.isUnknown = options.isUnknown ?? false;
  }
}

/** Runs a call of the library; throws its errors as a `SqliteFault`. */
export function faulting<T>(call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw new SqliteFault(cause);
  }
}

/** The primary result codes that mean something to a log. */
const RESULTS: Readonly<Record<number, string>> = {
  5: 'BUSY',
  6: 'LOCKED',
  8: 'READONLY',
  10: 'IOERR',
  11: 'CORRUPT',
  13: 'FULL',
  14: 'CANTOPEN',
  18: 'TOOBIG',
  26: 'NOTADB',
};

/** No room for the memory that connections share, beside a database with a WAL. */
const IOERR_SHMSIZE = 4874;

/** The words of libraries that report no result code. */
const TEXTS: readonly (readonly [RegExp, string])[] = [
  [/database (?:table )?is locked/, 'BUSY'],
  [/readonly database/, 'READONLY'],
  [/is full/, 'FULL'],
  [/not a database/, 'NOTADB'],
  [/malformed/, 'CORRUPT'],
  [/too big/, 'TOOBIG'],
  [/not open|closed (?:database|connection)|been (?:closed|finalized)/i, 'CLOSED'],
];

function resultOf(cause: unknown): string {
  const { code, errcode, errno } = (cause ?? {}) as Readonly<Record<string, unknown>>;
  for (const number of [errcode, errno]) {
    // The lowest byte of an extended result code is its primary code.
    if (number === IOERR_SHMSIZE) return 'FULL';
    const result = typeof number === 'number' ? RESULTS[number & 0xff] : undefined;
    if (result !== undefined) return result;
  }
  const message = messageOf(cause);
  // Node's own code, which Deno has as well, is 'ERR_SQLITE_ERROR', whatever the result.
  const named = /(?<!ERR_)SQLITE_([A-Z]+)/.exec(`${String(code)} ${message}`)?.[1];
  if (named !== undefined && named !== 'ERROR') return named;
  return TEXTS.find(([pattern]) => pattern.test(message))?.[1] ?? 'ERROR';
}

function messageOf(cause: unknown): string {
  const { message } = (cause ?? {}) as Readonly<Record<string, unknown>>;
  return typeof message === 'string' ? message : String(cause);
}
