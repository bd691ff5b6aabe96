import { mistake } from '../../base/argument.ts';
import type { LogStatus } from './log-status.ts';

/** The level of a status. 'error': records are refused or lost. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** A receiver of each status as one line of text, such as `console`. */
export type Logger = Readonly<Record<LogLevel, (line: string) => void>> | LoggerFunction;

/** A logger function gets the status itself as well, for structured logging. */
export type LoggerFunction = (level: LogLevel, line: string, status: LogStatus) => void;

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** Throws a `TypeError` for a value that is no logger. */
export function checkLogger(logger: unknown): asserts logger is Logger {
  if (typeof logger === 'function') return;
  const methods = (logger ?? {}) as Partial<Record<LogLevel, unknown>>;
  if (LEVELS.every((level) => typeof methods[level] === 'function')) return;
  throw mistake(`logger must be a function, or have the methods ${LEVELS.join(', ')}`, logger);
}
