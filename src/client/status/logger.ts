import { mistake } from '../../base/argument.ts';
import type { LogStatus } from './log-status.ts';

/** How much a status matters: 'error' where records are refused or lost. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Whom each status is told as one line of text. `console` is one. */
export type Logger = Readonly<Record<LogLevel, (line: string) => void>> | LoggerFunction;

/** Gets the status itself as well, for loggers of structured data. */
export type LoggerFunction = (level: LogLevel, line: string, status: LogStatus) => void;

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** Throws a `TypeError` for what is no logger. */
export function checkLogger(logger: unknown): asserts logger is Logger {
  if (typeof logger === 'function') return;
  const methods = (logger ?? {}) as Partial<Record<LogLevel, unknown>>;
  if (LEVELS.every((level) => typeof methods[level] === 'function')) return;
  throw mistake(`logger must be a function, or have the methods ${LEVELS.join(', ')}`, logger);
}
