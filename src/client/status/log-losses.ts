import { LOG_CORRUPT } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import type { LostRecords, OpenedLog } from '../../protocol/broker.ts';
import type { LogReset, RecordsLost } from './log-status.ts';

type Loss = Omit<LogReset, 'timestamp'> | Omit<RecordsLost, 'timestamp'>;

/** The statuses of what was lost of a log before it was opened. */
export function lossesOf(opened: OpenedLog): Loss[] {
  const { logId, previousLogId, setAside, isAfterLoss = false, lost } = opened;
  if (previousLogId !== undefined || setAside !== undefined || isAfterLoss) {
    return [{ type: 'logReset', previousLogId, logId, setAside }];
  }
  return recordsLost(lost);
}

/** The statuses of records that were lost. */
export function recordsLost(lost: readonly LostRecords[]): Omit<RecordsLost, 'timestamp'>[] {
  return lost.map((records) => {
    const { topic, partition, from } = records;
    return { type: 'recordsLost', topic, partition, offset: from, error: lossError(records) };
  });
}

function lossError({ topic, partition, from, to, isTopicLost }: LostRecords): TablogError {
  const records = `the stored records ${from} to ${to - 1} of partition ${partition}`;
  const details = { topic, partition, from, to };
  if (!isTopicLost) return new TablogError(LOG_CORRUPT, `${records} are gone`, { details });
  const next = 'The browser lost stored data: create the topic again.';
  return new TablogError(
    { ...LOG_CORRUPT, next },
    `${records} are gone with the topic '${topic}'`,
    {
      details,
    },
  );
}
