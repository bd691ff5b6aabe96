/** Names that are options elsewhere, most of them in KafkaJS, with their counterpart in tablog. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  acks: 'durability',
  eachBatch: 'consumer.batches()',
  eachMessage: 'consumer.run({ eachMessage })',
  expectedOffset: 'send(topic, { key, value, expectedOffset })',
  fromBeginning: "from: 'earliest'",
  messages: 'sendBatch(topic, records)',
  partitions: 'admin.createPartitions()',
};

/** Options of clients that talk to a server; tablog has no counterpart. */
const NOWHERE: ReadonlySet<string> = new Set(['brokers', 'clientId']);

/** The shortest name that is matched as a part of another name. Shorter names match by chance. */
const MIN_LENGTH = 4;

/** Advice for the end of an error about an unknown name; '' where no known name is similar. */
export function suggestion(name: string, known: readonly string[]): string {
  const meant = meantBy(name, known);
  if (meant !== undefined) return `did you mean ${meant}?`;
  return NOWHERE.has(name) ? 'leave it out, there is no server.' : '';
}

/**
 * The likely meaning of an unknown name: KafkaJS's name for an option, a misspelt option, or a call
 * of tablog that replaces the option.
 */
function meantBy(name: string, known: readonly string[]): string | undefined {
  const here = Object.hasOwn(ELSEWHERE, name) ? ELSEWHERE[name]! : '';
  if (known.includes(here.split(':')[0]!)) return here;
  return nearest(name, known) ?? (here.includes('(') ? here : undefined);
}

/**
 * The known name that contains the unknown one, is contained in it, or differs in at most a third
 * of its letters.
 */
function nearest(name: string, known: readonly string[]): string | undefined {
  const given = name.toLowerCase();
  if (given.length < MIN_LENGTH) return undefined;
  let best: string | undefined;
  let least = Math.floor(given.length / 3) + 1;
  for (const candidate of known) {
    const wanted = candidate.toLowerCase();
    const isPart =
      wanted.length >= MIN_LENGTH && (wanted.includes(given) || given.includes(wanted));
    const distance = isPart ? 1 : editDistance(given, wanted);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Levenshtein's distance: the letters to add, remove or replace. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, replaced));
    }
    row = next;
  }
  return row[b.length]!;
}
