import { STATE_PATH } from '../server/protocol.ts';
import type { ServerBehaviour, ServerState } from '../server/protocol.ts';

/** A silent server must not keep the page from showing the rest. */
const TIMEOUT_MS = 2000;

/** The server's state of a topic; `undefined`: there is no server, or it cannot be reached. */
export function askServer(topicId: string): Promise<ServerState | undefined> {
  return request(topicId, { method: 'GET' });
}

/** Has the server behave so, towards all pages; returns what it has of a topic. */
export function tellServer(
  topicId: string,
  behaviour: ServerBehaviour,
): Promise<ServerState | undefined> {
  return request(topicId, { method: 'PUT', body: JSON.stringify(behaviour) });
}

async function request(topicId: string, init: RequestInit): Promise<ServerState | undefined> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const url = `./${STATE_PATH}?topic=${encodeURIComponent(topicId)}`;
    const answer = await fetch(url, { ...init, signal });
    if (!answer.ok) return undefined;
    return ((await answer.json()) as ServerState | null) ?? undefined;
  } catch {
    return undefined; // a host may answer with a page of its own, or nothing at all
  }
}
