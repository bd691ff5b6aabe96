import { deleteLog, listLogs, openLog } from 'tablog';

/** Names of logs are of A-Z a-z 0-9 . _ - alone: of an e-mail address, its bytes. */
const nameOf = (user: string) =>
  `user-${[...new TextEncoder().encode(user)].map((byte) => byte.toString(16)).join('-')}`;

/** A log a user: what one has queued is never sent under another's name. */
export const signIn = (user: string) => openLog(nameOf(user));

/** In every tab that has the log open, loops end with `CLOSED`, `details.reason` 'deleted'. */
export const signOut = (user: string) => deleteLog(nameOf(user));

export async function forgetEverybody() {
  for (const name of await listLogs()) if (name.startsWith('user-')) await deleteLog(name);
}
