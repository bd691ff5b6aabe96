import { setTimeout as sleep } from 'node:timers/promises';
import { nodeHandler, receiver } from '../../src/receiver.ts';
import { isBehaviour } from './protocol.ts';
import type { ServerBehaviour, ServerState } from './protocol.ts';
import { RecordStore } from './record-store.ts';

/** So long takes the way to a server that is not far: in no time, nothing would be seen in flight. */
const LATENCY_MS = 100;

type Listener = ReturnType<typeof nodeHandler>;

/** The server of the demo: a receiver that can be told to fail. */
export class DemoServer {
  /** Listens to what connectors send. */
  readonly receive: Listener;
  /** Listens to pages, which ask what the server has, and tell it how to behave. */
  readonly control: Listener;
  readonly #store = new RecordStore();
  readonly #receive: (request: Request) => Promise<Response>;
  #behaviour: ServerBehaviour = 'normal';
  /** Requests that are not answered while it is silent. */
  readonly #held: (() => void)[] = [];

  constructor() {
    this.#receive = receiver({
      position: ({ id }) => this.#store.position(id),
      store: (batch) => this.#store.store(batch),
    });
    this.receive = nodeHandler((request) => this.#misbehave(request));
    this.control = nodeHandler((request) => this.#control(request));
  }

  async #misbehave(request: Request): Promise<Response> {
    await sleep(LATENCY_MS);
    while (this.#behaviour === 'silent') {
      await new Promise<void>((resolve) => this.#held.push(resolve));
    }
    if (this.#behaviour === 'unavailable') {
      return new Response('told to fail', { status: 503 });
    }
    const losesAnswer = this.#behaviour === 'losesAnswers' && request.method === 'POST';
    const answer = await this.#receive(request);
    // The listener drops a connection for which there is no answer.
    if (losesAnswer) throw new Error('the answer is lost');
    return answer;
  }

  async #control(request: Request): Promise<Response> {
    if (request.method === 'PUT') {
      const asked: unknown = await request.json().catch(() => undefined);
      if (!isBehaviour(asked)) return Response.json({ error: 'no behaviour' }, { status: 400 });
      this.#behaviour = asked;
      for (const release of this.#held.splice(0)) release();
    }
    const topic = new URL(request.url).searchParams.get('topic') ?? '';
    const state: ServerState = {
      behaviour: this.#behaviour,
      partitions: this.#store.partitionsOf(topic),
    };
    return Response.json(state, { headers: { 'cache-control': 'no-store' } });
  }
}
