import type { TopicSpec } from '../../protocol/topic.ts';
import { configOf } from '../rows/topic-row.ts';
import type { TopicRow } from '../rows/topic-row.ts';
import type { Allocation } from './allocation.ts';
import { broughtInLine, checkAgrees } from './topic-config.ts';

/**
 * An existing topic after `createTopics` with `spec`. A version below the topic's comes from an
 * older release of the application. The topic then stays unchanged, so that a tab of the older
 * release never undoes the changes of a newer release.
 */
export function keptTopic(spec: TopicSpec, row: TopicRow, allocation: Allocation): TopicRow {
  const { version: asked = 0 } = spec;
  const { version = 0 } = row;
  const partitions = row.stores.length;
  const existing = { config: configOf(row), partitions, version };
  if (asked < version) return row;
  if (asked === version) {
    checkAgrees(spec, existing);
    return row;
  }
  const config = broughtInLine(spec, existing);
  return allocation.change({ ...row, config, version: asked }, spec.partitions ?? partitions);
}
