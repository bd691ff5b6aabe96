import { INVALID_CONFIG, TOPIC_EXISTS } from '../base/error-rules.ts';
import { TablogError } from '../base/error.ts';
import { DEFAULT_TOPIC_CONFIG } from '../protocol/broker.ts';
import type { Retention, TopicConfig, TopicConfigChanges, TopicSpec } from '../protocol/broker.ts';
import { contradiction } from '../protocol/topic-rules.ts';

/** Replay within bounds: memory is shared with the application. */
const MEMORY_RETENTION: Retention = { ms: null, bytes: 16 * 1024 * 1024 };

/** What holds where `spec` says nothing. */
export function defaultsOf({ config }: TopicSpec): TopicConfig {
  if (config?.storage !== 'memory') return DEFAULT_TOPIC_CONFIG;
  return { ...DEFAULT_TOPIC_CONFIG, storage: 'memory', retention: MEMORY_RETENTION };
}

export function withChanges(config: TopicConfig, changes: TopicConfigChanges): TopicConfig {
  return { ...config, ...changes, retention: { ...config.retention, ...changes.retention } };
}

/** Throws `INVALID_CONFIG` for what does not go together, or cannot become of what there `was`. */
export function checkConfig(topic: string, config: TopicConfig, was: TopicConfig = config): void {
  const isMoved = config.storage !== was.storage;
  const why = isMoved ? `its storage is '${was.storage}' and stays so` : contradiction(config);
  if (why === undefined) return;
  throw new TablogError(INVALID_CONFIG, `the topic '${topic}' cannot be so: ${why}`, {
    details: { topic },
  });
}

interface ExistingTopic {
  readonly config: TopicConfig;
  readonly partitions: number;
}

/** Throws `TOPIC_EXISTS` where the topic is not what `spec` asks for. */
export function checkAgrees(spec: TopicSpec, existing: ExistingTopic): void {
  const differences: string[] = [];
  const compare = (what: string, has: unknown, wanted: unknown): void => {
    const [is, asked] = [has, wanted].map((v) => (typeof v === 'string' ? v : JSON.stringify(v)));
    if (wanted !== undefined && is !== asked) differences.push(`${what} is ${is}, not ${asked}`);
  };
  compare('partitions', existing.partitions, spec.partitions);
  const config = withChanges(existing.config, spec.config ?? {});
  for (const name of Object.keys(spec.config ?? {}) as (keyof TopicConfig)[]) {
    compare(name, existing.config[name], config[name]);
  }
  if (differences.length === 0) return;
  throw new TablogError(
    TOPIC_EXISTS,
    `the topic '${spec.name}' exists and differs: ${differences.join('; ')}`,
    { details: { topic: spec.name } },
  );
}
