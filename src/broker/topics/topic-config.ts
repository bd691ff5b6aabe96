import { INVALID_CONFIG, TOPIC_EXISTS } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import { DEFAULT_TOPIC_CONFIG } from '../../protocol/topic.ts';
import type {
  Retention,
  TopicConfig,
  TopicConfigChanges,
  TopicSpec,
} from '../../protocol/topic.ts';
import { contradiction } from '../../protocol/topic-rules.ts';

/** Bounds the records for replay, because they share the memory of the application. */
const MEMORY_RETENTION: Retention = { ms: null, bytes: 16 * 1024 * 1024 };

/** The configuration of a new topic in the options that `spec` leaves out. */
export function defaultsOf({ config }: TopicSpec): TopicConfig {
  if (config?.storage !== 'memory') return DEFAULT_TOPIC_CONFIG;
  return { ...DEFAULT_TOPIC_CONFIG, storage: 'memory', retention: MEMORY_RETENTION };
}

export function withChanges(config: TopicConfig, changes: TopicConfigChanges): TopicConfig {
  return { ...config, ...changes, retention: { ...config.retention, ...changes.retention } };
}

/**
 * Throws `INVALID_CONFIG` for options that contradict each other, or for a storage other than the
 * topic `was` created with.
 */
export function checkConfig(topic: string, config: TopicConfig, was: TopicConfig = config): void {
  const isMoved = config.storage !== was.storage;
  const why = isMoved ? `its storage is '${was.storage}' and stays so` : contradiction(config);
  if (why === undefined) return;
  throw new TablogError(INVALID_CONFIG, `the topic '${topic}' cannot be so: ${why}`, {
    details: { topic },
  });
}

/** A stored topic. */
export interface ExistingTopic {
  readonly config: TopicConfig;
  readonly partitions: number;
  /** The version of the spec that created or last changed the topic. */
  readonly version: number;
}

/** An option whose value in the topic differs from the spec's. */
interface Difference {
  readonly option: string;
  readonly has: string;
  readonly asked: string;
}

/** Throws `TOPIC_EXISTS` when the topic differs from `spec`. */
export function checkAgrees(spec: TopicSpec, existing: ExistingTopic): void {
  const differences = differencesOf(spec, existing);
  if (differences.length === 0) return;
  const all = differences.map(({ option, has, asked }) => `${option} is ${has}, not ${asked}`);
  const next = `Leave out what differs, or bring the topic in line: createTopics(topics, { version: ${existing.version + 1} }).`;
  throw exists(spec, existing, { why: `differs: ${all.join('; ')}`, next }, differences);
}

/**
 * The configuration of a topic brought in line with `spec`. Throws `TOPIC_EXISTS` for a change that
 * no topic can make, and `INVALID_CONFIG` for options that exclude each other.
 */
export function broughtInLine(spec: TopicSpec, existing: ExistingTopic): TopicConfig {
  const stuck = differencesOf(spec, existing).flatMap((difference) => {
    const why = whyStuck(difference);
    return why === undefined ? [] : [{ ...difference, why }];
  });
  if (stuck.length > 0) {
    const all = stuck.map(
      ({ option, has, asked, why }) => `${option} is ${has} and cannot become ${asked}: ${why}`,
    );
    const next = `Nothing was changed. deleteTopics() deletes a topic with its records.`;
    throw exists(spec, existing, { why: all.join('; '), next }, stuck);
  }
  const config = withChanges(existing.config, spec.config ?? {});
  checkConfig(spec.name, config);
  return config;
}

function whyStuck({ option, has, asked }: Difference): string | undefined {
  if (option === 'storage') return 'use another topic name';
  if (option !== 'partitions' || Number(asked) > Number(has)) return undefined;
  return `ask for ${has} or more, or use another topic name`;
}

/** The differences in options that `spec` names; options that it leaves out are not compared. */
function differencesOf(spec: TopicSpec, existing: ExistingTopic): Difference[] {
  const differences: Difference[] = [];
  const compare = (option: string, is: unknown, wanted: unknown): void => {
    if (wanted === undefined) return;
    const [has, asked] = [asText(is), asText(wanted)];
    if (has !== asked) differences.push({ option, has, asked });
  };
  compare('partitions', existing.partitions, spec.partitions);
  const config = withChanges(existing.config, spec.config ?? {});
  for (const name of Object.keys(spec.config ?? {}) as (keyof TopicConfig)[]) {
    compare(name, existing.config[name], config[name]);
  }
  return differences;
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function exists(
  { name }: TopicSpec,
  { version }: ExistingTopic,
  { why, next }: { readonly why: string; readonly next: string },
  differences: readonly Difference[],
): TablogError {
  const differs = differences.map(({ option }) => option).join(', ');
  const happened = `the topic '${name}' exists, of version ${version}, and ${why}`;
  return new TablogError({ ...TOPIC_EXISTS, next }, happened, {
    details: { topic: name, version, differs },
  });
}
