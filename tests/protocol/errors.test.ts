import { describe, expect, test } from 'vitest';
import * as rules from '../../src/base/error-rules.ts';
import * as transactionRules from '../../src/client/transaction/transaction-errors.ts';
import { TablogError } from '../../src/base/error.ts';
import { fromErrorData, toErrorData } from '../../src/protocol/error-data.ts';
import { errorOf } from '../support/broker-fixture.ts';
import { connected } from './endpoints.ts';

/** `error` as a tab gets it when a call in the worker throws it. */
async function acrossThreads(error: unknown): Promise<TablogError> {
  const { port } = await connected({
    listTopics: async () => {
      throw error;
    },
  });
  return errorOf(port.call('listTopics', null));
}

describe('an error across the thread border', () => {
  test.each(Object.values({ ...rules, ...transactionRules }))(
    '$code keeps what it says',
    async (rule) => {
      const details = { topic: 'orders', offset: 2 ** 53 - 1, last: true, none: null };
      const cause = new RangeError('the disk says no');
      const error = new TablogError(rule, 'a test says so', { details, cause });
      const arrived = await acrossThreads(error);
      expect(arrived).toBeInstanceOf(TablogError);
      expect(arrived).toBeInstanceOf(Error);
      expect(arrived).toMatchObject({
        ...rule,
        name: 'TablogError',
        happened: 'a test says so',
        message: error.message,
        details,
      });
      expect(arrived.cause).toBeInstanceOf(Error);
      expect(arrived.cause).toMatchObject({
        name: 'RangeError',
        message: 'the disk says no',
        stack: cause.stack,
      });
    },
  );

  test('of another kind is INTERNAL, with the original as its cause', async () => {
    const arrived = await acrossThreads(new TypeError('x is not a function'));
    expect(arrived).toBeInstanceOf(TablogError);
    expect(arrived).toMatchObject({ ...rules.INTERNAL, happened: 'x is not a function' });
    expect(arrived.cause).toMatchObject({ name: 'TypeError', message: 'x is not a function' });
  });

  test.each(['a string', undefined, null, 7])(
    'that is no Error (%s) is INTERNAL',
    async (thrown) => {
      expect(await acrossThreads(thrown)).toMatchObject({
        ...rules.INTERNAL,
        happened: String(thrown),
      });
    },
  );

  test.each([
    new DOMException('no room', 'QuotaExceededError'),
    Object.assign(new Error('mine'), { name: 'MyError' }),
    new TablogError(rules.STORAGE_FULL, 'no room'),
  ])('keeps the name of its cause: %s', async (cause) => {
    const arrived = await acrossThreads(new TablogError(rules.INTERNAL, 'outer', { cause }));
    expect(arrived.cause).toBeInstanceOf(Error);
    expect(arrived.cause).toMatchObject({ name: cause.name, message: cause.message });
  });

  test('leaves a cause behind that is no Error, and arrives', async () => {
    const error = new TablogError(rules.STORAGE_FULL, 'too late', { cause: () => {} });
    const arrived = await acrossThreads(error);
    expect(arrived).toMatchObject({ ...rules.STORAGE_FULL });
    expect(arrived.cause).toBeUndefined();
  });

  test('arrives though its cause has a cause that cannot be sent', async () => {
    const cause = new Error('outer', { cause: () => {} });
    const error = new TablogError(rules.STORAGE_FULL, 'too late', { cause });
    expect(await acrossThreads(error)).toMatchObject({ ...rules.STORAGE_FULL });
  });

  test('as data is data: it can be cloned, and becomes the same error again', () => {
    const error = new TablogError(rules.LOG_CORRUPT, 'lost', { details: { from: 1, to: 2 } });
    const data = structuredClone(toErrorData(error));
    expect(data).toEqual({ ...rules.LOG_CORRUPT, happened: 'lost', details: { from: 1, to: 2 } });
    expect(fromErrorData(data)).toEqual(error);
  });
});
