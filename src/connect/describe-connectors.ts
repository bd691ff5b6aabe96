import type { Log } from '../client/log.ts';
import { connectorOf, groupOf } from './group-name.ts';
import type { ConnectorPartition } from './connector-status.ts';

export interface ConnectorDescription {
  readonly name: string;
  /** The tabs that run it: the ids of their members in the group. */
  readonly members: readonly string[];
  /** Of all tabs; the position is what is committed, which the target has. */
  readonly partitions: readonly ConnectorPartition[];
}

/** The names of the connectors of a log, of all tabs, and of those that none runs now. */
export async function listConnectors(log: Log): Promise<readonly string[]> {
  const groups = await log.admin.listGroups();
  return groups.flatMap(({ group }) => connectorOf(group) ?? []);
}

/** The members of connectors, and how far each is. Throws for a connector that there is not, as `describeGroups`. */
export async function describeConnectors(
  log: Log,
  names: readonly string[],
): Promise<readonly ConnectorDescription[]> {
  const groups = await log.admin.describeGroups(names.map(groupOf));
  return groups.map(({ group, members, partitions }) => ({
    name: connectorOf(group)!,
    members: members.map(({ memberId }) => memberId),
    partitions: partitions.map(({ topic, partition, committedOffset, startOffset, endOffset }) => {
      const position = committedOffset ?? startOffset;
      return { topic, partition, position, endOffset, lag: Math.max(endOffset - position, 0) };
    }),
  }));
}
