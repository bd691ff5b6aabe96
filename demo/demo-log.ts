import { TablogError, json, openLog, string, topic } from '../src/index.ts';
import type { Consumer, Log, MessageOf, Topic } from '../src/index.ts';

/** What happened on a page. Of the keyboard, only that a key went down: never which. */
export type PageEvent =
  | { readonly kind: 'click' | 'pointermove'; readonly x: number; readonly y: number }
  | { readonly kind: 'open' | 'keydown' }
  | { readonly kind: 'visibilitychange'; readonly state: DocumentVisibilityState };

/** A webhook's payload, as far as the demo looks into it. */
export interface GithubEvent {
  readonly repository?: { readonly full_name: string } | null;
  readonly organization?: { readonly login: string } | null;
}

const DAY_MS = 86_400_000;

// How much of each partition is kept: retention runs some ten seconds after an append.

export const pageEvents: Topic<'page-events', string, PageEvent> = topic('page-events', {
  key: string(),
  value: json<PageEvent>(),
  partitions: 4,
  retention: { bytes: 250_000, ms: DAY_MS },
});

export const githubEvents: Topic<'github-events', string, GithubEvent> = topic('github-events', {
  key: string(),
  value: json<GithubEvent>(),
  partitions: 4,
  retention: { bytes: 4_000_000, ms: DAY_MS },
});

export type DemoTopic = typeof pageEvents | typeof githubEvents;
export type CrewTopic = typeof githubEvents;
export type DemoMessage = MessageOf<DemoTopic>;
export type DemoConsumer = Consumer<DemoTopic>;

export const DEMO_TOPICS: readonly DemoTopic[] = [githubEvents, pageEvents];

/** The group that tabs may join, and what it works through. */
export const CREW = 'crew';
export const CREW_TOPICS: readonly CrewTopic[] = [githubEvents];

/** The connector that delivers to the server, and the group that its tabs are. */
export const CONNECTOR = 'server';
export const CONNECTOR_GROUP: string = `connect-${CONNECTOR}`;

export async function openDemoLog(): Promise<Log> {
  const log = await openLog('demo');
  await createDemoTopics(log);
  return log;
}

/** Goes up with each change of the topics: a returning visitor's are brought in line. */
const TOPICS_VERSION = 1;

/** Makes the topics where they are missing. */
export async function createDemoTopics(log: Log): Promise<void> {
  await log.admin.createTopics(DEMO_TOPICS, { version: TOPICS_VERSION });
}

/** A record's key for showing. */
export function keyOf(message: DemoMessage): string {
  return message.key ?? 'no key';
}

/** Whether an error only means that somebody has emptied the log at this moment. */
export function isFromEmptying(error: unknown): boolean {
  if (!(error instanceof TablogError)) return false;
  return error.code === 'UNKNOWN_TOPIC' || error.code === 'OFFSET_OUT_OF_RANGE';
}

/** Whether an error goes away by itself, so that it is worth to begin anew. */
export function isPassing(error: unknown): boolean {
  return isFromEmptying(error) || (error instanceof TablogError && error.retriable);
}
