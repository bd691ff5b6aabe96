import type { LogStatus, PlatformLimited, UntimedStatus, WorkerLost } from './log-status.ts';
import type { LogLevel } from './logger.ts';

type Lines = {
  readonly [Type in LogStatus['type']]: readonly [
    level: LogLevel,
    line: (status: Extract<UntimedStatus, { type: Type }>) => string,
  ];
};

const LOST: Readonly<Record<WorkerLost['reason'], string>> = {
  died: 'the worker died; the next call starts another',
  silent: 'the worker does not answer; the next call starts another',
  interrupted: 'the browser took this tab for dead; the next call connects to the worker again',
};

const LIMITS: Readonly<Record<PlatformLimited['missing'], string>> = {
  locks:
    'this context has no Web Locks: a member of a group that is gone keeps its partitions for its ' +
    'sessionTimeoutMs',
  channels:
    'this context has no BroadcastChannel: what another thread stores is read later, and its topics ' +
    'in memory cannot be reached',
};

const LINES: Lines = {
  workerLost: ['warn', ({ reason }) => LOST[reason]],
  workerUnavailable: ['error', ({ error }) => `no worker can be started: ${error.message}`],
  workerConnected: [
    'info',
    ({ attempts }) => `a worker serves this tab again (attempt ${attempts})`,
  ],
  storageUnavailable: ['error', ({ error }) => `the storage is away: ${error.message}`],
  storageFull: ['error', ({ error }) => `the storage is full: ${error.message}`],
  storageAvailable: ['info', () => 'the storage is available again'],
  recordsLost: [
    'error',
    (status) => `${nameOf(status)} cannot be read on: ${status.error.message}`,
  ],
  offsetReset: [
    'warn',
    (status) => {
      const { group, outOfRange, startOffset, endOffset, offset } = status;
      const reader = group === undefined ? 'a consumer' : `the group '${group}'`;
      const range = `its offsets are from ${startOffset} up to ${endOffset}`;
      return `${reader} was to read ${nameOf(status)} from ${outOfRange}, but ${range}: it goes on at ${offset}`;
    },
  ],
  partitionsAssigned: ['info', (status) => `${memberOf(status)} got ${namesOf(status)}`],
  partitionsRevoked: ['info', (status) => `${memberOf(status)} gives up ${namesOf(status)}`],
  partitionsLost: [
    'warn',
    (status) =>
      `${memberOf(status)} has lost ${namesOf(status)}: others read it, and its commits are FENCED`,
  ],
  slowHandler: [
    'warn',
    (status) => {
      const { offset, elapsedMs, rebalanceTimeoutMs, isRevoked } = status;
      const waiting = isRevoked ? 'another member waits for the partition, and ' : '';
      return (
        `${memberOf(status)} has had ${nameOf(status)}, offset ${offset}, in hand for ${elapsedMs} ms: ` +
        `${waiting}the group removes it ${rebalanceTimeoutMs} ms after it is to give the partition up`
      );
    },
  ],
  topicMissing: [
    'warn',
    ({ topic }) =>
      `a consumer waits for the topic '${topic}', which does not exist: create it with ` +
      'log.admin.createTopics(), or make the consumer with mustExist: true, which throws instead',
  ],
  logReset: [
    'error',
    ({ previousLogId, logId, setAside }) => {
      const lost = previousLogId === undefined ? 'the earlier log' : `the log ${previousLogId}`;
      const left =
        setAside === undefined ? 'was lost' : `was set aside in the database '${setAside}'`;
      return `${lost} ${left}: this is a new one, ${logId}`;
    },
  ],
  logDeleted: ['warn', ({ error }) => error.message],
  platformLimited: ['warn', ({ missing }) => LIMITS[missing]],
  statusesDropped: ['warn', ({ count }) => `${count} statuses were dropped`],
};

/** The level of a status, and the status as one line of text for a person. */
export function lineOf(
  log: string,
  status: UntimedStatus,
): readonly [level: LogLevel, line: string] {
  const [level, line] = LINES[status.type] as readonly [
    LogLevel,
    (status: UntimedStatus) => string,
  ];
  return [level, `tablog: log '${log}': ${line(status)}`.replaceAll(/\s*[\r\n]+\s*/g, ' ')];
}

function nameOf({ topic, partition }: { topic: string; partition: number }): string {
  return `partition ${partition} of '${topic}'`;
}

function memberOf({ group, memberId }: { group: string; memberId: string }): string {
  return `the member '${memberId}' of '${group}'`;
}

/** Partitions by topic: `'orders' 0, 1 and 'audit' 3`. */
function namesOf(status: {
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
}): string {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of status.partitions) {
    const partitions = byTopic.get(topic);
    if (partitions === undefined) byTopic.set(topic, [partition]);
    else partitions.push(partition);
  }
  return [...byTopic].map(([topic, all]) => `'${topic}' ${all.join(', ')}`).join(' and ');
}
