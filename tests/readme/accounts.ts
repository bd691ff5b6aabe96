import { deleteLog, listLogs, openLog } from 'tablog';

/** A log a user: what one has queued is never sent under another's name. */
export const signIn = (userId: string) => openLog(`user-${userId}`);

/** Everything that this browser has of the user is gone, in every tab that has it open. */
export const signOut = (userId: string) => deleteLog(`user-${userId}`);

export const usersOnThisDevice = async () =>
  (await listLogs()).flatMap((name) => (name.startsWith('user-') ? name.slice(5) : []));
