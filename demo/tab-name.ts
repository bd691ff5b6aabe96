const STORED_AS = 'tablog-demo/tab';
const OPENED_AS = 'tablog-demo/tabs-opened';

/** In such an order that the keys of neighbours differ well in colour, and fall into other partitions. */
const NAMES = 'siskin kestrel beaver lynx tern skua mole owl lark grebe linnet wigeon'.split(' ');

/**
 * The name of this tab: kept over a reload; each new tab gets the next of the list. The frame has a name
 * of its own, though it shares the tab's sessionStorage.
 */
export function tabName(isFrame: boolean): string {
  const storedAs = isFrame ? `${STORED_AS}/frame` : STORED_AS;
  const kept = sessionStorage.getItem(storedAs);
  if (kept !== null) return kept;
  const opened = Number(localStorage.getItem(OPENED_AS) ?? 0);
  localStorage.setItem(OPENED_AS, String(opened + 1));
  const name = NAMES[opened % NAMES.length]!;
  sessionStorage.setItem(storedAs, name);
  return name;
}
