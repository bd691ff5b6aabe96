import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { PeerChannel } from '../../src/platform/peer-channel.ts';
import type { Peer } from '../../src/platform/peer-channel.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { eventually, settle } from '../support/waiting.ts';

const DEADLINE_MS = 5_000;
/** What an answer that is there by then has to be heard. */
const GRACE_MS = 250;

let clock: ManualClock;
let name: string;
beforeEach(() => {
  clock = new ManualClock();
  name = crypto.randomUUID();
});
afterEach(() => expect(clock.timers, 'timers that nobody called off').toBe(0));

/** One that may lead, and what it heard. */
class Party {
  readonly channel: PeerChannel;
  /** The connections that others made to it. */
  readonly peers: Peer[] = [];
  leaders = 0;

  constructor(onLeader = (): void => {}) {
    this.channel = new PeerChannel(
      name,
      (peer) => void this.peers.push(peer),
      () => {
        this.leaders++;
        onLeader();
      },
    );
    onTestFinished(() => this.channel.close());
  }

  async dial(id: string, signal = new AbortController().signal): Promise<Peer | undefined> {
    const peer = await this.channel.dial(id, { clock, deadlineMs: DEADLINE_MS, signal });
    if (peer !== undefined) onTestFinished(() => peer.close());
    return peer;
  }
}

/** What comes to an end of a connection. */
function heardOn({ endpoint }: Peer): unknown[] {
  const heard: unknown[] = [];
  endpoint.addEventListener('message', (event) => heard.push((event as MessageEvent).data));
  return heard;
}

/** What `peer` says is heard by the last that connected to `leader`, and what that one answers, by it. */
async function expectConnected(peer: Peer | undefined, leader: Party): Promise<void> {
  await eventually(() => expect(leader.peers).not.toEqual([]));
  const other = leader.peers.at(-1)!;
  const [atLeader, atCaller] = [heardOn(other), heardOn(peer!)];
  peer!.endpoint.postMessage('question', []);
  await eventually(() => expect(atLeader).toEqual(['question']));
  other.endpoint.postMessage('answer', []);
  await eventually(() => expect(atCaller).toContain('answer'));
}

/** What any script of the origin can do. */
function rawChannel(suffix = ''): BroadcastChannel {
  const channel = new BroadcastChannel(`tablog/${name}${suffix}`);
  onTestFinished(() => channel.close());
  return channel;
}

describe('a connection', () => {
  test('is made with whoever leads, and goes both ways', async () => {
    const [leader, other, caller] = [new Party(), new Party(), new Party()];
    leader.channel.lead();
    const peer = await caller.dial('one');
    expect([leader.peers.length, other.peers.length]).toEqual([1, 0]);
    const [atLeader, atCaller] = [heardOn(leader.peers[0]!), heardOn(peer!)];
    peer!.endpoint.postMessage('question', []);
    await eventually(() => expect(atLeader).toEqual(['question']));
    leader.peers[0]!.endpoint.postMessage('answer', []);
    await eventually(() => expect(atCaller).toContain('answer'));
  });

  test('is its two ends’ own', async () => {
    const [leader, caller, other] = [new Party(), new Party(), new Party()];
    leader.channel.lead();
    const peers = [await caller.dial('one'), await other.dial('two')];
    const heard = leader.peers.map(heardOn);
    const atOther = heardOn(peers[1]!);
    peers[0]!.endpoint.postMessage('from one', []);
    leader.peers[0]!.endpoint.postMessage('to one', []);
    await eventually(() => expect(heard[0]).toEqual(['from one']));
    await settle();
    expect(heard[1]).toEqual([]);
    expect(atOther).not.toContain('to one');
  });

  test('is with one of two who both believe that they lead', async () => {
    const [old, leader, caller] = [new Party(), new Party(), new Party()];
    old.channel.lead();
    leader.channel.lead();
    await settle();
    const peer = await caller.dial('one');
    await settle();
    const heard = [...old.peers, ...leader.peers].map(heardOn);
    peer!.endpoint.postMessage('question', []);
    await settle();
    expect(heard.filter((messages) => messages.includes('question'))).toHaveLength(1);
  });

  test('that is closed takes nothing and brings nothing', async () => {
    const [leader, caller] = [new Party(), new Party()];
    leader.channel.lead();
    const peer = await caller.dial('one');
    const atCaller = heardOn(peer!);
    peer!.close();
    peer!.close();
    peer!.endpoint.postMessage('late', []);
    leader.peers[0]!.endpoint.postMessage('late', []);
    await settle();
    expect(atCaller).toEqual([]);
  });
});

describe('a dial', () => {
  test('that nobody answers ends at its deadline, and not before', async () => {
    const caller = new Party();
    let found: Peer | 'nobody' | undefined;
    const dialing = caller.dial('one').then((peer) => (found = peer ?? 'nobody'));
    clock.advance(DEADLINE_MS + GRACE_MS - 1);
    await settle();
    expect(found).toBeUndefined();
    clock.advance(1);
    await dialing;
    expect(found).toBe('nobody');
  });

  test('hears an answer that is there as it wakes up from a sleep', async () => {
    const [leader, caller] = [new Party(), new Party()];
    leader.channel.lead();
    const dialing = caller.dial('one');
    clock.advance(DEADLINE_MS);
    await expectConnected(await dialing, leader);
  });

  test('before anybody leads is made again when it is told who does', async () => {
    const leader = new Party();
    const calling = new AbortController();
    const caller = new Party(() => calling.abort());
    const dialing = caller.dial('one', calling.signal);
    await settle();
    leader.channel.lead();
    expect(await dialing).toBeUndefined();
    expect(leader.peers).toEqual([]);
    await expectConnected(await caller.dial('two'), leader);
    expect(leader.peers).toHaveLength(1);
  });

  test('is answered by one that leads since it was said', async () => {
    const [leader, caller] = [new Party(), new Party()];
    const dialing = caller.dial('one');
    leader.channel.lead(); // before it hears the call
    await expectConnected(await dialing, leader);
    await settle();
    expect(leader.peers).toHaveLength(1);
  });

  test('is not answered by one that leads no more', async () => {
    const [leader, caller] = [new Party(), new Party()];
    leader.channel.lead();
    await settle();
    leader.channel.follow();
    const dialing = caller.dial('one');
    await settle();
    clock.advance(DEADLINE_MS + GRACE_MS);
    expect(await dialing).toBeUndefined();
    expect(leader.peers).toEqual([]);
  });

  test('that is called off ends at once', async () => {
    const caller = new Party();
    const calling = new AbortController();
    const dialing = caller.dial('one', calling.signal);
    calling.abort();
    expect(await dialing).toBeUndefined();
  });

  test('that was called off before it began ends at once', async () => {
    const caller = new Party();
    expect(await caller.dial('one', AbortSignal.abort())).toBeUndefined();
  });

  test('does not call off the one that began before it ended', async () => {
    const [leader, caller] = [new Party(), new Party()];
    const first = new AbortController();
    const calledOff = caller.dial('one', first.signal);
    first.abort();
    const second = caller.dial('two');
    expect(await calledOff).toBeUndefined();
    leader.channel.lead();
    await expectConnected(await second, leader);
  });

  test('where there is no BroadcastChannel is a typed error', async () => {
    vi.stubGlobal('BroadcastChannel', undefined);
    onTestFinished(() => void vi.unstubAllGlobals());
    const caller = new Party();
    caller.channel.lead();
    await expect(caller.dial('one')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
  });
});

describe('who leads', () => {
  test('is told to all others, and not to itself', async () => {
    const [leader, other] = [new Party(), new Party()];
    leader.channel.lead();
    await eventually(() => expect(other.leaders).toBe(1));
    expect(leader.leaders).toBe(0);
  });

  test('of another name is nothing to these', async () => {
    const leader = new Party();
    name = crypto.randomUUID();
    const other = new Party();
    leader.channel.lead();
    await settle();
    expect(other.leaders).toBe(0);
  });
});

test('a closed channel answers nobody and hears nobody', async () => {
  const [leader, other, caller] = [new Party(), new Party(), new Party()];
  leader.channel.lead();
  await settle();
  leader.channel.close();
  leader.channel.close();
  const calling = new AbortController();
  const dialing = caller.dial('one', calling.signal);
  other.channel.lead();
  calling.abort();
  await dialing;
  await settle();
  expect(leader.peers).toEqual([]);
  expect(leader.leaders).toBe(0);
});

describe('what others post', () => {
  const forged = [
    null,
    undefined,
    0,
    'leads',
    [],
    {},
    { kind: 'Leads' },
    { kind: 'call' },
    { kind: 'call', from: 1 },
    { kind: 'call', from: null },
    { kind: 'ready' },
    new Map([['kind', 'leads']]),
  ];

  test.each(forged)('is nothing to a leader, nor to one that dials: %j', async (data) => {
    const [leader, caller] = [new Party(), new Party()];
    leader.channel.lead();
    await eventually(() => expect(caller.leaders).toBe(1));
    rawChannel().postMessage(data);
    await expectConnected(await caller.dial('one'), leader);
    expect(leader.peers).toHaveLength(1);
    expect([leader.leaders, caller.leaders]).toEqual([0, 1]);
  });

  test('to one that dials does not connect it', async () => {
    const caller = new Party();
    const dialing = caller.dial('one');
    const raws = [rawChannel(), rawChannel('/one')];
    for (const raw of raws) for (const data of forged) raw.postMessage(data);
    await settle();
    clock.advance(DEADLINE_MS + GRACE_MS);
    expect(await dialing).toBeUndefined();
  });

  test('as a call makes a connection that nobody uses', async () => {
    const [leader, caller] = [new Party(), new Party()];
    leader.channel.lead();
    rawChannel().postMessage({ kind: 'call', from: 'somebody', more: 1 });
    await eventually(() => expect(leader.peers).toHaveLength(1));
    const peer = await caller.dial('one');
    const [atOther, atLeader] = leader.peers.map(heardOn);
    peer!.endpoint.postMessage('hello', []);
    await eventually(() => expect(atLeader).toContain('hello'));
    expect(atOther).toEqual([]);
  });
});
