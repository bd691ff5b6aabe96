import { expect, test } from 'vitest';
import type { FetchedMessage } from '../../src/connect/gateway/kafka-client.ts';
import { TransactionLog } from '../../src/connect/gateway/transaction-log.ts';

/** `0 A a`: at offset 0, of the producer A, the key a; `1 A commit`, `1 A abort`; `2 - a`: of no transaction. */
function messages(...lines: readonly string[]): FetchedMessage[] {
  return lines.map((line) => {
    const [offset, producerId, key] = line.split(' ') as [string, string, string];
    const isControlRecord = key === 'commit' || key === 'abort';
    return {
      offset,
      key: isControlRecord
        ? Uint8Array.of(0, 0, 0, key === 'commit' ? 1 : 0)
        : new TextEncoder().encode(key),
      value: null,
      timestamp: '0',
      isControlRecord,
      batchContext: { producerId, inTransaction: producerId !== '-' },
    };
  });
}

function offsets(taken: readonly FetchedMessage[]): string[] {
  return taken.map(({ offset }) => offset);
}

test('tells transactions apart that are side by side, whichever ends first', () => {
  const log = new TransactionLog();
  const taken = log.take(
    messages(
      '0 A a',
      '1 B b',
      '2 - n',
      '3 B abort',
      '4 C c',
      '5 C commit',
      '6 A abort',
      '7 B b',
      '8 B commit',
    ),
  );
  expect(offsets(taken)).toEqual(['2', '4', '7']);
  expect(log.firstOpen).toBeUndefined();
});

test('holds back what is not decided, and goes on with the next fetch', () => {
  const log = new TransactionLog();
  expect(log.take(messages('0 A a', '1 B b', '2 A a2'))).toEqual([]);
  expect(log.firstOpen).toBe(0);
  expect([log.isOpen('a2'), log.isOpen('x')]).toEqual([true, false]);
  expect(offsets(log.take(messages('3 A commit')))).toEqual(['0', '2']);
  expect(log.firstOpen).toBe(1);
  expect(log.isOpen('a2')).toBe(false);
});

test('decides what is fetched again once', () => {
  const log = new TransactionLog();
  log.take(messages('0 A a', '1 B b'));
  log.rewind();
  expect(log.firstOpen).toBeUndefined();
  expect(offsets(log.take(messages('0 A a', '1 B b', '2 B commit', '3 A abort')))).toEqual(['1']);
});
