import { abortable } from '../../base/abortable.ts';
import { deferred } from '../../base/deferred.ts';
import type { Deferred } from '../../base/deferred.ts';
import { systemClock, withDeadline } from '../../platform/clock.ts';
import { SinkError } from '../sink/sink-error.ts';
import { closePort, listen, opened, post } from './mirror-port.ts';
import type { MirrorPort } from './mirror-port.ts';
import { MIRROR_PROTOCOL, pack, unpack } from './mirror-protocol.ts';
import type { MirrorAnswer, MirrorRequest } from './mirror-protocol.ts';

export interface MirrorClientOptions {
  readonly port: MirrorPort | (() => MirrorPort | Promise<MirrorPort>);
  readonly timeoutMs: number;
}

interface Line {
  readonly port: MirrorPort;
  readonly hangUp: () => void;
}

/** Calls a mirror, over a port that is opened again after it has ended. */
export class MirrorClient {
  readonly #options: MirrorClientOptions;
  readonly #calls = new Map<number, Deferred<number | SinkError>>();
  #line: Promise<Line> | undefined;
  #lastId = 0;

  constructor(options: MirrorClientOptions) {
    this.#options = options;
  }

  /** Resolves to the mirror's end. Rejects with a `SinkError`. */
  async call(
    request: Omit<MirrorRequest, 'protocol' | 'id'>,
    signal: AbortSignal,
    payload?: Uint8Array,
  ): Promise<number> {
    const { timeoutMs } = this.#options;
    const id = ++this.#lastId;
    const answer = deferred<number | SinkError>();
    const asked = (async () => {
      const { port } = await (this.#line ??= this.#dial());
      this.#calls.set(id, answer);
      post(port, pack({ protocol: MIRROR_PROTOCOL, id, ...request }, payload));
      const told = await answer.promise;
      if (told instanceof SinkError) throw told;
      return told;
    })();
    try {
      const inTime = withDeadline(systemClock, timeoutMs, asked, () => {
        this.close(); // a port that tells nothing of its end
        return new SinkError('retry', `the mirror has not answered within ${timeoutMs} ms`);
      });
      return await abortable(signal, inTime);
    } finally {
      this.#calls.delete(id);
      asked.catch(() => {}); // after the deadline nobody waits
    }
  }

  /** Leaves the port, which is the caller's to close. The next call opens another one. */
  close(): void {
    const line = this.#line;
    this.#line = undefined;
    line?.then(
      ({ hangUp }) => hangUp(),
      () => {},
    );
    for (const { resolve } of this.#calls.values()) {
      resolve(new SinkError('retry', 'the port to the mirror has ended'));
    }
    this.#calls.clear();
  }

  #dial(): Promise<Line> {
    const dialled: Promise<Line> = (async () => {
      const { port: given } = this.#options;
      const port = await (typeof given === 'function' ? given() : given);
      const hangUp = listen(
        port,
        (bytes) => this.#answered(bytes),
        () => {
          if (this.#line === dialled) this.close();
        },
      );
      await opened(port);
      const end = (): void => {
        hangUp();
        if (typeof given === 'function') closePort(port); // nobody else has it
      };
      return { port, hangUp: end };
    })();
    dialled.catch(() => {
      if (this.#line === dialled) this.#line = undefined;
    });
    return dialled;
  }

  #answered(bytes: Uint8Array): void {
    const answer: Partial<MirrorAnswer> | undefined = unpack(bytes)?.message;
    const call = this.#calls.get(answer?.to ?? -1);
    if (answer === undefined || call === undefined) return;
    if (answer.protocol !== MIRROR_PROTOCOL) {
      const rule = `it speaks the protocol ${String(answer.protocol)}, and this side ${MIRROR_PROTOCOL}`;
      call.resolve(new SinkError('fatal', `${rule}: update the older one`));
    } else if (answer.error !== undefined) {
      call.resolve(new SinkError(answer.error.kind, answer.error.message));
    } else if (Number.isSafeInteger(answer.end)) {
      call.resolve(answer.end as number);
    } else {
      call.resolve(new SinkError('retry', 'the mirror answers without its end'));
    }
  }
}
