import {
  checkArray,
  checkEach,
  checkFunction,
  checkInteger,
  checkMethods,
  checkMs,
  checkName,
  checkOneOf,
  mistake,
} from '../base/argument.ts';
import type { TopicFilter } from '../client/message/message.ts';
import type { TopicLike } from '../client/topics/topic.ts';
import { groupOf } from './group-name.ts';
import type { ConnectorState } from './connector-status.ts';
import type { SinkError } from './sink/sink-error.ts';
import type { Sink } from './sink/sink.ts';
import type { Transform } from './sink/transforms.ts';

/** The fate of a record that the target refuses for good. */
export type RefusedAction = 'deadLetter' | 'skip' | 'stop';

export interface ConnectOptions<T extends TopicFilter = TopicFilter> {
  /**
   * The connector's name, the same in every tab. The tabs share the partitions as the group
   * `connect-` and the name. At most 190 of the characters A-Z a-z 0-9 . _ -.
   */
  readonly name: string;
  readonly topics: readonly T[];
  readonly sink: Sink;
  /** The steps of each record on its way, one after the other. Default: none. */
  readonly transform?: Transform | readonly Transform[];
  /**
   * The fate of a record that the target refuses for good, for which a transform throws, or that cannot
   * be decoded. 'stop': the connector fails, with the record as its next one. 'skip': the record is left
   * out. 'deadLetter': the record is stored in the `deadLetterTopic`, at least once, with the headers
   * `tablog.topic`, `tablog.partition`, `tablog.offset` and `tablog.error`. Default: 'deadLetter' with a `deadLetterTopic`, else 'stop'.
   */
  readonly onRefused?: RefusedAction;
  /** A topic whose serdes take the keys and values of the `topics`. Default: none. */
  readonly deadLetterTopic?: TopicLike;
  /** The most records in one `put`, an integer of at least 1. Default 500. */
  readonly maxRecords?: number;
  /**
   * How long records wait for more, to be put together, in milliseconds. Default 0: what has come by
   * the time that the target has answered is put together.
   */
  readonly lingerMs?: number;
  /** The most partitions that are put at the same time, an integer of at least 1. Default 4. */
  readonly concurrency?: number;
  /**
   * The bound of the first wait after a failure, in milliseconds, of which a random share is waited
   * (full jitter). It doubles with each failure. Default 500.
   */
  readonly backoffMs?: number;
  /** The bound that waits do not go beyond, in milliseconds. Default 60,000. */
  readonly maxBackoffMs?: number;
  /**
   * Called when the connector's state has changed, and at each failure, as `status()` then tells. An
   * error of the function is reported as an uncaught error. Default: nothing.
   */
  readonly onStatus?: (state: ConnectorState, error: SinkError | undefined) => void;
  /** 'visible' (default): among equals a partition goes to the tab that somebody sees. */
  readonly placement?: 'visible' | 'any';
}

export type CheckedConnectOptions = Required<Omit<ConnectOptions, 'deadLetterTopic' | 'onStatus'>> &
  Pick<ConnectOptions, 'deadLetterTopic' | 'onStatus'>;

const DEFAULTS = {
  transform: [],
  maxRecords: 500,
  lingerMs: 0,
  concurrency: 4,
  backoffMs: 500,
  maxBackoffMs: 60_000,
  placement: 'visible',
} as const;

/** Throws a `TypeError` or a `RangeError` for a bad option. */
export function checkConnectOptions(options: ConnectOptions): CheckedConnectOptions {
  const checked = checkEach<ConnectOptions>('connect()', options, {
    name: (_, name) => checkName('group name', name),
    topics: (name, topics) => checkArray(`${name} must be an array`, topics),
    sink: (name, sink) => checkMethods(name, sink, ['put']),
    transform: checkTransform,
    onRefused: (name, value) => checkOneOf(name, value, ['deadLetter', 'skip', 'stop']),
    deadLetterTopic: () => {}, // the consumer checks it
    maxRecords: (name, value) => checkInteger(name, value, 1),
    lingerMs: checkMs,
    concurrency: (name, value) => checkInteger(name, value, 1),
    backoffMs: (name, value) => checkMs(name, value, 1),
    maxBackoffMs: (name, value) => checkMs(name, value, 1),
    onStatus: (_, value) => checkFunction('onStatus must be a function', value),
    placement: (name, value) => checkOneOf(name, value, ['visible', 'any']),
  });
  for (const name of ['name', 'topics', 'sink'] as const) {
    if (checked[name] === undefined) throw new TypeError(`connect() needs ${name}`);
  }
  checkName('group name', groupOf(checked.name));
  const { onRefused, deadLetterTopic, backoffMs = 0, maxBackoffMs = Infinity } = checked;
  if (backoffMs > maxBackoffMs) {
    throw new RangeError(
      `backoffMs must not be above maxBackoffMs, got ${backoffMs} and ${maxBackoffMs}`,
    );
  }
  const letters = nameOf(deadLetterTopic);
  for (const topic of checked.topics) {
    const isOwn = topic instanceof RegExp ? topic.test(letters ?? '') : nameOf(topic) === letters;
    if (letters !== undefined && isOwn) {
      throw mistake('the deadLetterTopic must not be one of the topics', letters);
    }
  }
  if (onRefused === 'deadLetter' && deadLetterTopic === undefined) {
    throw new TypeError("onRefused: 'deadLetter' needs a deadLetterTopic");
  }
  return {
    ...DEFAULTS,
    onRefused: deadLetterTopic === undefined ? 'stop' : 'deadLetter',
    ...checked,
  };
}

function nameOf(topic: TopicLike | undefined): string | undefined {
  return typeof topic === 'string' ? topic : topic?.name;
}

function checkTransform(name: string, transform: unknown): void {
  const all = Array.isArray(transform) ? (transform as unknown[]) : [transform];
  if (all.every((each) => typeof each === 'function')) return;
  throw mistake(`${name} must be a function, or an array of functions`, transform);
}
