import type { Consumer, ConsumerOptions, Log, Message } from '../../../src/index.ts';
import { string, topic } from '../../../src/index.ts';

/** What a tab tells the test, as it happens; the events of `tests/checker/history.ts`. */
export type Told = { readonly member: string } & (
  | ({ readonly kind: 'assigned' } & Partition)
  | ({ readonly kind: 'revoked' } & Partition)
  | ({ readonly kind: 'lost' } & Partition)
  | ({ readonly kind: 'delivered'; readonly value: string } & Place)
  | ({ readonly kind: 'processed' } & Place)
  | ({ readonly kind: 'committed'; readonly outcome: string; readonly call: number } & Place)
  | { readonly kind: 'called'; readonly what: string; readonly call: number }
  | { readonly kind: 'settled'; readonly outcome: string; readonly call: number }
  | { readonly kind: 'busy' }
  | { readonly kind: 'stopped'; readonly code: string }
);

interface Partition {
  readonly topic: string;
  readonly partition: number;
}

interface Place extends Partition {
  readonly offset: number;
}

declare global {
  interface Window {
    /** The test's; it has heard when this resolves. */
    told(event: unknown): Promise<void>;
    /** Resolves when most of what was sent is delivered. */
    caughtUp(): Promise<void>;
  }
}

export type MemberOptions = Pick<
  ConsumerOptions,
  'sessionTimeoutMs' | 'rebalanceTimeoutMs' | 'placement' | 'commit'
>;

export const orders = topic('orders', { value: string() });

const TOPICS = [orders, /^more-/] as const;
type Members = Consumer<(typeof TOPICS)[number]>;

/** A page that did not run for so long was suspended. */
const SUSPENSION_MS = 700;

/** The members of the group 'billing' in this tab. */
const members = new Map<string, Members>();
let gate = Promise.resolve();
let isClosed = false;
let open = (): void => {};

/** Joins the group, and reads from now on; a manual member commits each message. */
export async function join(log: Log, member: string, options: MemberOptions): Promise<void> {
  const consumer = log.consumer({
    topics: TOPICS,
    group: 'billing',
    memberId: member,
    from: 'earliest',
    ...options,
  });
  members.set(member, consumer);
  for (const kind of ['assigned', 'revoked', 'lost'] as const) {
    consumer.on(kind, async ({ partitions }) => {
      const events = partitions.map((partition) => ({ kind, member, ...partition }));
      await Promise.all(events.map((event) => window.told(event)));
    });
  }
  void read(consumer, member, options.commit === 'manual');
  await consumer.ready;
}

/** Leaves the group. */
export async function leave(member: string): Promise<void> {
  const consumer = members.get(member)!;
  members.delete(member);
  await consumer.close();
}

/** From now on a message that was delivered stays in hand. */
export function closeGate(): void {
  isClosed = true;
  gate = new Promise((resolve) => (open = resolve));
}

/** What was held up goes on, and so does all that comes. */
export function openGate(): void {
  isClosed = false;
  open();
}

/** Keeps the page busy until it was suspended; opens the gate as the first thing that it does then. */
export function openGateAfterSuspension(member: string): void {
  void window.told({ kind: 'busy', member });
  let last = Date.now();
  for (let now = last; now - last < SUSPENSION_MS; now = Date.now()) last = now;
  openGate();
}

export function assignmentOf(member: string): readonly Partition[] {
  return members.get(member)!.assignment;
}

async function read(consumer: Members, member: string, commits: boolean): Promise<void> {
  try {
    for await (const message of consumer) {
      const { topic, partition, offset } = message;
      const place = { member, topic, partition, offset };
      await window.told({ kind: 'delivered', ...place, value: String(message.value) });
      const isHeld = isClosed;
      await gate;
      const heard = window.told({ kind: 'processed', ...place });
      // What was held up goes on in the very task that lets it.
      if (!isHeld) await heard;
      if (commits) await commit(member, message);
    }
  } catch (error) {
    await window.told({ kind: 'stopped', member, code: codeOf(error) });
  }
}

async function commit(member: string, message: Message): Promise<void> {
  const call = Math.random();
  const { topic, partition, offset } = message;
  void window.told({ kind: 'called', call, what: 'commit', member });
  const outcome = await message.commit().then(() => 'accepted', codeOf);
  const place = { member, topic, partition, offset: offset + 1 };
  await window.told({ kind: 'committed', ...place, outcome, call });
  await window.told({ kind: 'settled', call, outcome, member });
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? error);
}
