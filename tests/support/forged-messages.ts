import fc from 'fast-check';

/** Every kind of message that the channels of the product carry. */
export const FORGED_KINDS = [
  'appended',
  'topics',
  'deleted',
  'trimmed',
  'group',
  'probe',
  'alive',
  'leads',
  'call',
  'answer',
] as const;

/** Names of a log, which a forger knows. */
export interface KnownNames {
  readonly topicId: string;
  readonly groupId: string;
}

/**
 * Messages of all shapes for all channels: well formed with wrong facts, of wrong types, with fields
 * missing or too many, and whatever can be cloned.
 */
export function anyMessage({ topicId, groupId }: KnownNames): fc.Arbitrary<unknown> {
  const anything = fc.anything({ maxDepth: 2, withBigInt: true, withDate: true, withMap: true });
  const id = fc.oneof(fc.constantFrom(topicId, groupId, 'forged', '__proto__', ''), anything);
  const integer = fc.oneof(
    fc.constantFrom(0, 1, 3, -1, 0.5, NaN, Infinity, 2 ** 31, Number.MAX_SAFE_INTEGER),
    anything,
  );
  const partition = fc.record(
    { topicId: id, partition: integer, endOffset: integer },
    { requiredKeys: [] },
  );
  const partitions = fc.oneof(fc.array(partition, { maxLength: 5 }), anything);
  const kind = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...FORGED_KINDS) },
    { weight: 1, arbitrary: anything },
  );
  const rest = { partitions, groupId: id, memberId: id, topicId: id, partition: integer };
  const fields = { ...rest, from: id, to: id, at: id, type: id, path: id, argumentList: anything };
  const forged = fc.record({ kind, ...fields }, { requiredKeys: ['kind'] });
  const whole = fc.record({ kind, ...rest, from: id, to: id, at: id });
  return fc.oneof(whole, forged, anything, fc.constant('end'));
}
