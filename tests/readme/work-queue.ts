import { json, openLog, string, topic } from 'tablog';

const jobs = topic('jobs', { key: string(), value: json<{ url: string }>(), partitions: 8 });
const failed = topic('jobs-failed', { key: string(), value: json<{ url: string }>() });

const log = await openLog('work');
await log.admin.createTopics([jobs, failed]);

// In each tab: the partitions are shared out, and those of a tab that is gone go to the others.
const worker = log.consumer({ group: 'workers', topics: [jobs], from: 'earliest' });
void worker.run({
  concurrency: 4, // jobs of one key stay in order
  eachMessage: async ({ value }, { signal }) => {
    const response = await fetch(value!.url, { signal });
    if (!response.ok) throw new Error(`answered ${response.status}`);
  },
  onError: 'retry',
  retries: 3,
  afterRetries: 'deadLetter',
  deadLetterTopic: failed,
});

// What failed for good, with why.
const letters = log.consumer({ topics: [failed], from: 'earliest' });
for await (const letter of letters) {
  console.log(letter.value?.url, letter.header('tablog.error'), letter.header('tablog.attempts'));
}
