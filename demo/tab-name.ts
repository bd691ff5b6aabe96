const STORED_AS = 'tablog-demo/tab';
const MANNERS = ['amber', 'brisk', 'calm', 'early', 'gentle', 'lucid', 'mellow', 'quiet', 'silver', 'swift'];
const ANIMALS = ['badger', 'curlew', 'finch', 'hare', 'heron', 'lynx', 'marten', 'otter', 'robin', 'seal', 'swan', 'wren'];

/** This tab's name: kept over a reload, and not shared with other tabs. */
export function tabName(): string {
  const kept = sessionStorage.getItem(STORED_AS);
  if (kept !== null) return kept;
  const name = `${oneOf(MANNERS)}-${oneOf(ANIMALS)}`;
  sessionStorage.setItem(STORED_AS, name);
  return name;
}

function oneOf(words: readonly string[]): string {
  return words[Math.floor(Math.random() * words.length)]!;
}
