/** The path at which the demo's server takes records, relative to the page. */
export const RECEIVER_PATH = 'receiver';
/**
 * Where it tells what it has (GET, with `?topic=` and a topic's id), and is told how to behave (PUT). A
 * static build has a file of this name with `null` in it: a page can ask without an error.
 */
export const STATE_PATH: string = `${RECEIVER_PATH}/state.json`;
/** The header of a batch that names the tab which delivers it. */
export const TAB_HEADER = 'demo-tab';

/**
 * 'normal': it stores and answers. 'unavailable': it answers 503. 'silent': it does not answer for as
 * long as it is so. 'losesAnswers': it stores the records, and drops the connection.
 */
export type ServerBehaviour = (typeof BEHAVIOURS)[number];
export const BEHAVIOURS = ['normal', 'unavailable', 'silent', 'losesAnswers'] as const;

/** The server's state of one partition. */
export interface StoredPartition {
  readonly partition: number;
  /** The offset of the first record that it was sent. */
  readonly first: number;
  /** The offset of the record that it is to get next. */
  readonly position: number;
  readonly records: number;
  /** Records that were stored although it had them. */
  readonly doubled: number;
  /** The number of records that each tab has delivered, by the tab's name. */
  readonly byTab: Readonly<Record<string, number>>;
}

export interface ServerState {
  readonly behaviour: ServerBehaviour;
  readonly partitions: readonly StoredPartition[];
}

export function isBehaviour(value: unknown): value is ServerBehaviour {
  return (BEHAVIOURS as readonly unknown[]).includes(value);
}
