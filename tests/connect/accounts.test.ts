import { afterEach, describe, expect, test, vi } from 'vitest';
import { inline } from '../../src/inline.ts';
import { openLog } from '../../src/index.ts';
import { signIn, signOut } from '../readme/account-queue.ts';
import { eventually } from '../support/waiting.ts';
import { FakeTarget } from './fake-target.ts';

// The page of the example has a worker; here its logs are in one place in memory, as in one browser.
const host = inline({ storage: 'memory' });
vi.mock('tablog', async () => {
  const all = await import('../../src/index.ts');
  return {
    ...all,
    openLog: (name: string) => all.openLog(name, { host }),
    deleteLog: (name: string) => all.deleteLog(name, { host }),
  };
});

/** A server that keeps what each session has sent. */
class Server {
  readonly target = new FakeTarget();
  /** The user whose session the browser has. */
  session: string | undefined;
  /** Whose session each request had. */
  readonly sessions = new Set<string | null>();
  isDown = false;

  readonly headersOf = (user: string): HeadersInit | null =>
    user === this.session ? { 'x-session': user } : null;

  readonly fetch = async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    if (this.isDown) throw new TypeError('fetch failed');
    this.sessions.add(new Headers(init?.headers).get('x-session'));
    return this.target.fetch(url, init);
  };
}

function useServer(): Server {
  const server = new Server();
  vi.stubGlobal('fetch', server.fetch);
  return server;
}

afterEach(() => vi.unstubAllGlobals());

describe('what one user has queued', () => {
  test('never leaves under the session of another, and leaves when the user is back', async () => {
    const server = useServer();
    server.session = 'ann';
    const ann = await signIn('ann', server.headersOf);
    await ann.track('first of ann');
    await ann.connector.drain();
    server.isDown = true;
    await ann.track('second of ann');
    expect(await signOut(ann, { waitMs: 20 })).toBe(1);

    server.isDown = false;
    server.session = 'bob';
    server.sessions.clear();
    const bob = await signIn('bob', server.headersOf);
    await bob.track('first of bob');
    await bob.connector.drain();
    expect([...server.sessions]).toEqual(['bob']);
    expect(server.target.values).toEqual(['first of ann', 'first of bob']);
    expect(await signOut(bob)).toBe(0);

    server.session = 'ann';
    server.sessions.clear();
    const again = await signIn('ann', server.headersOf);
    await again.connector.drain();
    expect([...server.sessions]).toEqual(['ann']);
    expect(server.target.values).toEqual(['first of ann', 'second of ann', 'first of bob']);
    expect(await signOut(again)).toBe(0);
  });

  test('waits while another user is signed in, though the log is still open', async () => {
    const server = useServer();
    server.session = 'bob';
    const ann = await signIn('ann', server.headersOf);
    await ann.track('of ann');
    await eventually(async () => {
      expect(await ann.connector.status()).toMatchObject({ state: 'unauthorized' });
    });
    expect([...server.sessions]).toEqual([]);
    server.session = 'ann';
    ann.connector.wake();
    await ann.connector.drain();
    expect(server.target.values).toContain('of ann');
    await signOut(ann);
  });

  test('is forgotten at sign-out where the user wants that', async () => {
    const server = useServer();
    server.isDown = true;
    server.session = 'eve';
    const eve = await signIn('eve', server.headersOf);
    await eve.track('of eve');
    expect(await signOut(eve, { waitMs: 5, forgets: true })).toBe(1);
    const log = await openLog('user-eve', { host });
    expect(await log.admin.listTopics()).toEqual([]);
    await log.close();
  });
});
