import { json, openLog, string, topic } from 'tablog';

const jobs = topic('jobs', { key: string(), value: json<{ url: string }>(), partitions: 8 });
const failed = topic('jobs-failed', { key: string(), value: json<{ url: string }>() });

const log = await openLog('work');
await log.admin.createTopics([jobs, failed]);
export const add = (user: string, url: string) =>
  log.producer().send(jobs, { key: user, value: { url } });

// In each tab: the partitions are shared out, and those of a tab that is gone go to the others.
const worker = log.consumer({ group: 'workers', topics: [jobs], from: 'earliest' });
void worker.run({
  concurrency: 4, // jobs of one key stay in order
  async eachMessage({ value }, { signal }) {
    const response = await fetch(value!.url, { signal });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
  },
  onError: 'retry',
  retries: 2,
  backoffMs: 100,
  afterRetries: 'deadLetter',
  deadLetterTopic: failed,
});

// What failed for good, and why.
const letters = log.consumer({ topics: [failed], from: 'earliest' });
void letters.run({
  eachMessage(letter) {
    console.log(letter.value?.url, letter.header('tablog.error'), letter.header('tablog.attempts'));
  },
});
