/**
 * The witness of a log: what the tabs of an origin have seen of the log, kept outside of its
 * database. A browser that loses the end of its database's files also loses the heads that would
 * show the loss, and gives the lost offsets to other records. The broker compares its heads with
 * the witness when a tab opens the log.
 *
 * A witness is a lower bound, because it is written seldom, and the browser can lose it as well.
 */
export interface LogWitness {
  /** The id of the log that was seen. */
  readonly logId: string;
  /** The version of the topics (store/schema.ts), read when all of `topics` existed. */
  readonly topicsVersion: number;
  /** The topics on disk with records, the one seen last at first. */
  readonly topics: readonly WitnessedTopic[];
}

export interface WitnessedTopic {
  readonly id: string;
  readonly name: string;
  /** For each partition, an offset that its end has reached; 0: none was seen. */
  readonly ends: readonly number[];
}

/**
 * The most characters of a witness. A topic takes some 80 and a partition some 8 of them, so a
 * thousand topics fit. A localStorage has room for 5 million, and belongs to the application.
 */
const MAX_CHARACTERS = 128 * 1024;

/** The most characters of a witness that a broker reads: another build may write longer ones. */
export const MAX_WITNESS: number = 2 * MAX_CHARACTERS;

/** The witness as text. Topics beyond `MAX_CHARACTERS` are left out, those seen last are kept. */
export function formatWitness({ logId, topicsVersion, topics }: LogWitness): string {
  const texts: string[] = [];
  let left = MAX_CHARACTERS;
  for (const topic of topics) {
    const text = JSON.stringify(topic);
    left -= text.length + 1;
    if (left < 0) break;
    texts.push(text);
  }
  const id = JSON.stringify(logId);
  return `{"logId":${id},"topicsVersion":${topicsVersion},"topics":[${texts.join()}]}`;
}

/**
 * The text as a witness; `undefined` without a text, and for any other text: every script of the
 * origin can write to its localStorage.
 */
export function parseWitness(text: unknown): LogWitness | undefined {
  if (typeof text !== 'string' || text.length > MAX_WITNESS) return undefined;
  try {
    const witness: unknown = JSON.parse(text);
    return isWitness(witness) ? witness : undefined;
  } catch {
    return undefined;
  }
}

function isWitness(value: unknown): value is LogWitness {
  const { logId, topicsVersion, topics } = (value ?? {}) as Partial<LogWitness>;
  return (
    typeof logId === 'string' &&
    Number.isSafeInteger(topicsVersion) &&
    Array.isArray(topics) &&
    topics.every(isWitnessedTopic)
  );
}

function isWitnessedTopic(value: unknown): value is WitnessedTopic {
  const { id, name, ends } = (value ?? {}) as Partial<WitnessedTopic>;
  return (
    typeof id === 'string' &&
    typeof name === 'string' &&
    Array.isArray(ends) &&
    ends.every((end) => Number.isSafeInteger(end) && end >= 0)
  );
}
