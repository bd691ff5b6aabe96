import { openLog } from 'tablog';

const log = await openLog('notes', { logger: console }); // each status is a line there, too

/** Shows what the person at the tab is to know. */
export async function showNotices(show: (notice: string) => void) {
  for await (const status of log.status()) {
    if (status.type === 'storageFull') show('This device is full: what you write now is not kept.');
    if (status.type === 'storageAvailable') show('What you write is kept again.');
    if (status.type === 'workerUnavailable' && status.error.code === 'PROTOCOL_MISMATCH') {
      show('Reload the page: it was updated.');
    }
    if (status.type === 'logDeleted') show('The notes are gone from this device: reload the page.');
  } // the loop ends with the log
}
