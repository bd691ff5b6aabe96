import { string, topic } from '../../../src/index.ts';
import type { Topic } from '../../../src/index.ts';

/** What reaches the service worker while no tab has the log. */
export const events: Topic<'events', unknown, string> = topic('events', { value: string() });
