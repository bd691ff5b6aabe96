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
  return events
    .flatMap(({ name, examples }) => examples.map((value) => ({ name, value })))
    .map(({ name, value }, delivery) => ({
      key: value.repository?.full_name ?? value.organization?.login ?? 'none',
      value,
      headers: { event: name, delivery: String(delivery) },
    }));
}
