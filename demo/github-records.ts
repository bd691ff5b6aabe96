import examplesUrl from '@octokit/webhooks-examples/api.github.com/index.json?url';
import type { ProducerRecord } from '../src/index.ts';
import type { GithubEvent } from './demo-log.ts';

interface GithubExamples {
  readonly name: string;
  readonly examples: readonly GithubEvent[];
}

export type GithubRecord = ProducerRecord<string, GithubEvent>;

/**
 * The webhook deliveries of @octokit/webhooks-examples as records. 4 MB, so fetched when needed,
 * and as JSON: as a module it would be parsed as a program.
 */
export async function loadGithubRecords(): Promise<readonly GithubRecord[]> {
  const response = await fetch(examplesUrl);
  if (!response.ok) throw new Error(`the GitHub events could not be loaded: ${response.status}`);
  const events = (await response.json()) as readonly GithubExamples[];
  const records = events
    .flatMap(({ name, examples }) => examples.map((value) => ({ name, value })))
    .map(({ name, value }, delivery) => ({
      key: value.repository?.full_name ?? value.organization?.login ?? 'no repository',
      value,
      headers: { event: name, delivery: String(delivery) },
    }));
  return mixed(records);
}

/** A prime number that does not divide any likely number of examples. */
const STRIDE = 97;

/**
 * The examples in an order in which all keys, and so all partitions, come soon: the file is sorted
 * by event.
 */
function mixed<T>(items: readonly T[]): readonly T[] {
  if (items.length % STRIDE === 0) return items;
  return items.map((_, i) => items[(i * STRIDE) % items.length]!);
}
