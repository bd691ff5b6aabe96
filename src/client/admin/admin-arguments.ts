import {
  checkArray,
  checkBoolean,
  checkDistinct,
  checkInteger,
  checkName,
  checkSignal,
  mistake,
  withDefaults,
} from '../../base/argument.ts';
import type { Checks } from '../../base/argument.ts';
import type { TopicPartition } from '../fetch/assigned-partitions.ts';
import { asTopic } from '../topics/topic.ts';
import type { TopicLike } from '../topics/topic.ts';
import type {
  AlterGroupOffsetsOptions,
  CreateTopicsOptions,
  ScrubOptions,
} from './admin-options.ts';

export interface NamedPartition {
  readonly topic: string;
  /** `undefined`: every partition of the topic. */
  readonly partition: number | undefined;
}

export const CREATE_CHECKS: Checks<CreateTopicsOptions> = {
  version: (name, value) => checkInteger(name, value, 1),
  signal: checkSignal,
};

export const ALTER_CHECKS: Checks<AlterGroupOffsetsOptions> = {
  signal: checkSignal,
  force: checkBoolean,
};

export const SCRUB_CHECKS: Checks<ScrubOptions> = {
  signal: checkSignal,
  topics: (_, value) => {
    checkDistinct('scrub() was given the topic', namesOf('scrub()', value as readonly TopicLike[]));
  },
};

/** Checks an argument, which must have these fields and no others. */
export function entry<T extends object>(
  call: string,
  given: T,
  fields: readonly (keyof T & string)[],
): T {
  if (typeof given !== 'object' || given === null) throw mistake(shape(call, '', fields), given);
  const none = Object.fromEntries(fields.map((field) => [field, undefined]));
  return withDefaults<object>(call, given, none) as T;
}

/** Checks an array of arguments, as `entry` checks each. */
export function entries<T extends object>(
  call: string,
  given: readonly T[],
  fields: readonly (keyof T & string)[],
): T[] {
  checkArray(shape(call, 'an array of ', fields), given);
  return given.map((each) => entry(call, each, fields));
}

function shape(call: string, of: string, fields: readonly string[]): string {
  return `${call} takes ${of}{ ${fields.join(', ')} }`;
}

export function named({
  topic,
  partition,
}: {
  readonly topic: TopicLike;
  readonly partition?: number;
}): NamedPartition {
  if (partition !== undefined) checkInteger('partition', partition, 0);
  return { topic: nameOf(topic), partition };
}

/** The same for a call that takes one partition, and not all of a topic. */
export function namedPartition({ topic, partition }: TopicPartition): Required<NamedPartition> {
  checkInteger('partition', partition, 0);
  return { topic: nameOf(topic), partition };
}

/** Refuses a topic that is named twice, because either entry could be the intended one. */
export function checkTopicsOnce(call: string, topics: readonly { readonly name: string }[]): void {
  checkDistinct(
    `${call} was given the topic`,
    topics.map(({ name }) => name),
  );
}

/** Refuses a partition that is named twice, also where one of the entries names its topic alone. */
export function checkPartitionsOnce(call: string, all: readonly NamedPartition[]): void {
  const isWhole = ({ partition }: NamedPartition): boolean => partition === undefined;
  const whole = new Set(all.filter(isWhole).map(({ topic }) => topic));
  checkDistinct(
    `${call} was given the partition`,
    all.map(({ topic, partition }) => (whole.has(topic) ? topic : `${topic}/${partition}`)),
  );
}

export function checkGroups(call: string, groups: readonly string[]): void {
  checkArray(`${call} takes an array of group names`, groups);
  for (const group of groups) checkName('group name', group);
}

export function namesOf(call: string, topics: readonly TopicLike[]): string[] {
  checkArray(`${call} takes an array of topics`, topics);
  return topics.map(nameOf);
}

export function nameOf(topicLike: TopicLike): string {
  return asTopic(topicLike).name;
}
