/**
 * The place of a log's witness (protocol/log-witness.ts): the page's localStorage, which the
 * browser keeps apart from IndexedDB. Workers have none, and a page may have none: the browser
 * throws where site data is blocked, and a full localStorage refuses a write. A log then goes
 * without a witness.
 */

function keyOf(log: string): string {
  return `tablog/${log}/witness`;
}

/** The witness as it was written; null: there is none. */
export function readWitness(log: string): string | null {
  try {
    return globalThis.localStorage?.getItem(keyOf(log)) ?? null;
  } catch {
    return null;
  }
}

/** Writes the witness; returns whether it was written. */
export function writeWitness(log: string, text: string): boolean {
  try {
    globalThis.localStorage.setItem(keyOf(log), text);
    return true;
  } catch {
    return false;
  }
}

export function removeWitness(log: string): void {
  try {
    globalThis.localStorage?.removeItem(keyOf(log));
  } catch {
    // Without a localStorage there is no witness to be removed.
  }
}
