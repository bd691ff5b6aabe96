import { checkEach, checkFunction, mistake } from '../../base/argument.ts';
import { Closable } from '../../base/handle.ts';
import { Turns } from '../../base/queue.ts';
import type { Log } from '../../client/log.ts';
import { checkTopics, matches } from '../topic-patterns.ts';
import type { TopicPatterns } from '../topic-patterns.ts';
import { toSinkError } from '../sink/sink-error.ts';
import { checkPort, listen, post } from './mirror-port.ts';
import type { MirrorPort } from './mirror-port.ts';
import { MIRROR_PROTOCOL, pack, requestOf, unpack } from './mirror-protocol.ts';
import type { MirrorAnswer, MirrorRequest, MirroredPartition } from './mirror-protocol.ts';
import { Replica } from './replica.ts';

/** What waits to be stored, of one port; a request counts as some bytes more than it has. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const REQUEST_BYTES = 1_024;

export interface ServeMirrorOptions {
  /** The topics of the other log that are taken: names, or patterns. Default: all. */
  readonly topics?: TopicPatterns;
  /** The name of the mirror of a topic, as a prefix for each device. Default: the topic's own. */
  readonly nameOf?: (source: MirroredPartition) => string;
}

/**
 * Takes what `connectMirror()` at the other end of the port sends, into mirrors: topics that are made
 * where they are missing, and that nobody else can write to (`mirrorOf`) before `promoteMirrors()`. Several
 * ports, and several tabs, may serve one log. Who may reach the port is yours to decide, before.
 *
 * Throws a `TypeError` for a bad option.
 */
export function serveMirror(
  log: Log,
  port: MirrorPort,
  options: ServeMirrorOptions = {},
): MirrorServer {
  if (typeof log?.producer !== 'function') throw mistake('serveMirror() takes an open log', log);
  checkPort('port', port);
  return new MirrorServer(log, port, checkServeMirror(options));
}

/** A served mirror, made by `serveMirror()`. Close it when done; it closes when its port does. */
export class MirrorServer extends Closable {
  readonly #port: MirrorPort;
  readonly #replica: Replica;
  readonly #hangUp: () => void;
  /** The requests are served one after the other. */
  readonly #turns = new Turns();
  #waitingBytes = 0;
  #closed: Promise<void> | undefined;

  /** @internal */
  constructor(log: Log, port: MirrorPort, { topics, nameOf }: ServeMirrorOptions) {
    super();
    this.#port = port;
    this.#replica = new Replica(log, {
      nameOf: (source) => {
        const isTaken = topics === undefined || matches(topics, source.topic);
        if (!isTaken) return undefined;
        return nameOf === undefined ? source.topic : nameOf(source);
      },
    });
    this.#hangUp = listen(
      port,
      (bytes) => this.#received(bytes),
      () => void this.close(),
    );
  }

  /** Ends the serving, once what is being stored is stored. The port is yours to close. Idempotent. */
  override close(): Promise<void> {
    this.#hangUp();
    return (this.#closed ??= this.#turns.next(() => this.#replica.close()));
  }

  #received(bytes: Uint8Array): void {
    const unpacked = unpack(bytes);
    if (unpacked === undefined) return; // of whom it is nobody knows
    const { message, payload } = unpacked;
    const request = requestOf(message);
    const { id } = message as Partial<MirrorRequest>;
    if (typeof request === 'string') {
      if (typeof id === 'number') this.#answer(id, { error: { kind: 'fatal', message: request } });
      return;
    }
    if (this.#waitingBytes > MAX_WAITING_BYTES) {
      const message = 'the mirror has more to store than it keeps waiting';
      return this.#answer(request.id, { error: { kind: 'retry', message } });
    }
    const size = bytes.byteLength + REQUEST_BYTES;
    this.#waitingBytes += size;
    void this.#turns.next(async () => {
      await this.#serve(request, payload);
      this.#waitingBytes -= size;
    });
  }

  async #serve(request: MirrorRequest, payload: Uint8Array): Promise<void> {
    try {
      const isAppend = request.call === 'append';
      const end = await (isAppend
        ? this.#replica.append(request, payload)
        : this.#replica.position(request));
      this.#answer(request.id, { end });
    } catch (error) {
      const { kind, message } = toSinkError(error);
      this.#answer(request.id, { error: { kind, message } });
    }
  }

  #answer(to: number, answer: Pick<MirrorAnswer, 'end' | 'error'>): void {
    try {
      post(this.#port, pack({ protocol: MIRROR_PROTOCOL, to, ...answer }));
    } catch {
      // The socket has closed: the other end asks again, over another one.
    }
  }
}

function checkServeMirror(options: ServeMirrorOptions): ServeMirrorOptions {
  return checkEach<ServeMirrorOptions>('serveMirror()', options, {
    topics: checkTopics,
    nameOf: (_, value) => checkFunction('nameOf must be a function', value),
  });
}
