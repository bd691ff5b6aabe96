import { describe, expect, test } from 'vitest';
import * as rules from '../../src/base/error-rules.ts';
import { TablogError } from '../../src/base/error.ts';
import { fromErrorData, toErrorData } from '../../src/protocol/error-data.ts';
import { connected } from './endpoints.ts';

/** `error` as a tab gets it when a call in the worker rejects with it. */
async function acrossThreads(error: unknown): Promise<unknown> {
  const { port } = await connected({
    listTopics: () => Promise.reject(error as Error),
  });
  return port.call('listTopics', null).catch((caught: unknown) => caught);
}

describe('an error across the thread border', () => {
  test.each(Object.values(rules))('$code keeps what it says', async (rule) => {
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
    const { cause: arrivedCause } = arrived as TablogError;
    expect(arrivedCause).toBeInstanceOf(RangeError);
    expect(arrivedCause).toMatchObject({ message: 'the disk says no' });
  });

  test('of another kind is INTERNAL, with the original as its cause', async () => {
    const arrived = await acrossThreads(new TypeError('x is not a function'));
    expect(arrived).toBeInstanceOf(TablogError);
    expect(arrived).toMatchObject({ ...rules.INTERNAL, happened: 'x is not a function' });
    expect((arrived as TablogError).cause).toBeInstanceOf(TypeError);
  });

  test.each(['a string', undefined, null, 7])('that is no Error (%s) is INTERNAL', async (thrown) => {
    expect(await acrossThreads(thrown)).toMatchObject({ ...rules.INTERNAL, happened: String(thrown) });
  });

  test('leaves a cause behind that is no Error, and arrives', async () => {
    const error = new TablogError(rules.STORAGE_FULL, 'too late', { cause: () => {} });
    const arrived = await acrossThreads(error);
    expect(arrived).toMatchObject({ ...rules.STORAGE_FULL });
    expect((arrived as TablogError).cause).toBeUndefined();
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
