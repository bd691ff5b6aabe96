/** A tab's member id: its name, and what tells it from a copy of the tab, which has the same name. */
export function newMemberId(tab: string): string {
  return `${tab}.${crypto.randomUUID().slice(0, 8)}`;
}

/** The name of a member's tab. */
export function tabOf(memberId: string): string {
  return memberId.slice(0, memberId.lastIndexOf('.'));
}
