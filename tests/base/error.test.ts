import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as rules from '../../src/base/error-rules.ts';
import { TablogError, toTablogError } from '../../src/base/error.ts';
import * as transactionRules from '../../src/client/transaction/transaction-errors.ts';
import { STORAGE_READ_ONLY } from '../../src/store/sqlite/sqlite-errors.ts';

describe('the table of errors', () => {
  const all = { ...rules, ...transactionRules, STORAGE_READ_ONLY };

  /** Every text begins with what to do or, where that needs a reason, has it after a colon. */
  const STEP =
    /\b(call|check|close|compress|create|free|open|pass|produce|read|reload|report|seek|send|serve|try|use)\b/i;

  test.each(Object.entries(all))(
    '%s is named as its code, and says the next step',
    (name, rule) => {
      expect(rule.code).toBe(name);
      expect(typeof rule.retriable).toBe('boolean');
      expect(rule.next).toMatch(/^[A-Z].*\.$/);
      expect(rule.next).not.toMatch(/\s{2}|\.\.$/);
      expect(rule.next).toMatch(STEP);
    },
  );

  test('has a code each, which says when it comes and what it means', () => {
    const source = readFileSync(new URL('../../src/base/error-rule.ts', import.meta.url), 'utf8');
    const union = source.slice(source.indexOf('export type ErrorCode'), source.indexOf(';\n\n'));
    const documented = [...union.matchAll(/\*\/\n {2}\| '(\w+)'/g)].map(([, code]) => code);
    expect(new Set(documented)).toEqual(new Set(Object.keys(all)));
  });

  test('has each text once, but where two mean the same step', () => {
    const texts = Object.values(all).map(({ next }) => next);
    expect(new Set(texts).size).toBeGreaterThanOrEqual(texts.length - 1);
  });
});

describe('TablogError', () => {
  test('says its code, what happened, and what to do', () => {
    const error = new TablogError(rules.CLOSED, "the log 'shop' is closed");
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe('TablogError');
    expect(error.message).toBe(
      "CLOSED: the log 'shop' is closed. Open a new one; a closed one stays closed.",
    );
    expect(error).toMatchObject({
      ...rules.CLOSED,
      happened: "the log 'shop' is closed",
      details: {},
    });
    expect('cause' in error).toBe(false);
  });

  test('keeps its details and its cause', () => {
    const cause = new Error('inner');
    const error = new TablogError(rules.TOPIC_EXISTS, 'it differs', {
      details: { topic: 'a' },
      cause,
    });
    expect(error).toMatchObject({ details: { topic: 'a' } });
    expect(error.cause).toBe(cause);
  });

  test('can be told more exactly where it happened', () => {
    const cause = new Error('inner');
    const error = new TablogError(rules.BATCH_CORRUPT, 'damaged', {
      details: { at: 1, in: 'a' },
      cause,
    });
    const located = error.at('partition 3', { partition: 3, in: 'b' });
    expect(located).toMatchObject({
      ...rules.BATCH_CORRUPT,
      happened: 'damaged (partition 3)',
      details: { at: 1, in: 'b', partition: 3 },
    });
    expect(located.cause).toBe(cause);
    expect(error.details).toEqual({ at: 1, in: 'a' });
  });
});

describe('toTablogError', () => {
  test('leaves a TablogError as it is', () => {
    const error = new TablogError(rules.CLOSED, 'closed');
    expect(toTablogError(error)).toBe(error);
  });

  test.each([new TypeError('not a function'), 'thrown text', undefined, null, 7])(
    'wraps %s as INTERNAL',
    (thrown) => {
      const error = toTablogError(thrown);
      expect(error).toMatchObject({ ...rules.INTERNAL });
      expect(error.happened).toBe(thrown instanceof Error ? thrown.message : String(thrown));
      expect(error.cause).toBe(thrown);
    },
  );
});
