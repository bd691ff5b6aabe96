import { expectTypeOf, test } from 'vitest';
import { openLog } from '../../src/index.ts';
import type { Log, LogLevel, LogStatus, Logger, TablogError } from '../../src/index.ts';

declare const log: Log;

test('a status is told apart by its type', async () => {
  expectTypeOf(log.status()).toEqualTypeOf<AsyncIterableIterator<LogStatus>>();
  for await (const status of log.status({ signal: AbortSignal.abort() })) {
    expectTypeOf(status).toEqualTypeOf<LogStatus>();
    expectTypeOf(status.timestamp).toEqualTypeOf<number>();
    // @ts-expect-error not every status has one
    void status.error;
    switch (status.type) {
      case 'workerLost':
        expectTypeOf(status.reason).toEqualTypeOf<'died' | 'silent' | 'interrupted'>();
        break;
      case 'workerConnected':
        expectTypeOf(status.attempts).toEqualTypeOf<number>();
        break;
      case 'workerUnavailable':
      case 'storageUnavailable':
      case 'storageFull':
      case 'recordsLost':
      case 'logDeleted':
        expectTypeOf(status.error).toEqualTypeOf<TablogError>();
        break;
      case 'offsetReset':
        expectTypeOf(status.group).toEqualTypeOf<string | undefined>();
        break;
      case 'partitionsAssigned':
      case 'partitionsRevoked':
      case 'partitionsLost':
        expectTypeOf(status.group).toEqualTypeOf<string>();
        expectTypeOf(status.partitions[0]!.topic).toEqualTypeOf<string>();
        break;
      case 'slowHandler':
        expectTypeOf(status.elapsedMs).toEqualTypeOf<number>();
        expectTypeOf(status.isRevoked).toEqualTypeOf<boolean>();
        break;
      case 'logReset':
        expectTypeOf(status.logId).toEqualTypeOf<string>();
        expectTypeOf(status.previousLogId).toEqualTypeOf<string | undefined>();
        expectTypeOf(status.setAside).toEqualTypeOf<string | undefined>();
        break;
      case 'topicMissing':
        expectTypeOf(status.topic).toEqualTypeOf<string>();
        break;
      case 'platformLimited':
        expectTypeOf(status.missing).toEqualTypeOf<'locks' | 'channels'>();
        break;
      case 'statusesDropped':
        expectTypeOf(status.count).toEqualTypeOf<number>();
        break;
      case 'storageAvailable':
        break;
      default:
        expectTypeOf(status).toEqualTypeOf<never>();
    }
  }
});

test('the fields of a status are read only, and its types are known', () => {
  const status = {} as Extract<LogStatus, { type: 'slowHandler' }>;
  // @ts-expect-error read only
  status.offset = 0;
  // @ts-expect-error no such status
  void (status.type === 'rebalance');
  // @ts-expect-error a signal
  void log.status({ signal: new AbortController() });
});

test('a logger is console, an object with its methods, or a function', () => {
  void openLog('shop', { logger: console });
  void openLog('shop', {
    logger: (level, line, status) => {
      expectTypeOf(level).toEqualTypeOf<LogLevel>();
      expectTypeOf(line).toEqualTypeOf<string>();
      expectTypeOf(status).toEqualTypeOf<LogStatus>();
    },
  });
  const logger: Logger = { debug() {}, info() {}, warn() {}, error: (line) => void line };
  void openLog('shop', { logger });
  // @ts-expect-error a method is missing
  void openLog('shop', { logger: { debug() {}, info() {}, warn() {} } });
  // @ts-expect-error neither
  void openLog('shop', { logger: true });
});
