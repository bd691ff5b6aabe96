import { deleteLog, json, openLog, topic } from 'tablog';
import { connect, describeConnectors, httpSink } from 'tablog/connect';

const events = topic('events', { value: json<string>(), protectUncommitted: ['connect-server'] });

/** `headersOf`: the headers of the user's session, or null where another one is signed in, or nobody. */
export async function signIn(user: string, headersOf: (user: string) => HeadersInit | null) {
  const log = await openLog(`user-${user}`);
  await log.admin.createTopics([events]);
  const auth = () => headersOf(user);
  const sink = httpSink({ url: 'https://server.example/events', receiver: true, auth });
  const connector = connect(log, { name: 'server', topics: [events], sink });
  const producer = log.producer();
  const track = (event: string) => producer.send(events, { value: event });
  return { log, connector, track };
}

/** Waits for the rest, resolves to how much stays, and forgets it where the user wants that. */
export async function signOut(
  { log, connector }: Awaited<ReturnType<typeof signIn>>,
  { waitMs = 3_000, forgets = false } = {},
) {
  const waited = new Promise((resolve) => setTimeout(resolve, waitMs));
  await Promise.race([connector.drain().catch(() => waited), waited]); // fails at once offline
  const described = await describeConnectors(log, ['server']); // of all tabs
  const left = described.flatMap(({ partitions }) => partitions.map(({ lag }) => lag));
  await log.close(); // ends the connector: no request of it has the next user's session
  if (forgets) await deleteLog(log.name);
  return left.reduce((sum, lag) => sum + lag, 0); // sent when the user is back
}
