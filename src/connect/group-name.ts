import type { AssignedPartition } from '../client/fetch/consumer-events.ts';

const PREFIX = 'connect-';

/** The group of a connector, whose members are the connectors of that name in all tabs. */
export function groupOf(connector: string): string {
  return PREFIX + connector;
}

/** The connector of a group; `undefined`: it is a group of something else. */
export function connectorOf(group: string): string | undefined {
  return group.startsWith(PREFIX) ? group.slice(PREFIX.length) : undefined;
}

export function keyOf({ topic, partition }: AssignedPartition): string {
  return `${topic}/${partition}`;
}
