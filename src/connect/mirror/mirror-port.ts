import { isBuffer, isBytes } from '../../base/brand.ts';
import { mistake } from '../../base/argument.ts';
import { SinkError } from '../sink/sink-error.ts';

type Listener = (event: Event) => void;

interface PortEvents {
  addEventListener(type: string, listener: Listener): void;
  removeEventListener(type: string, listener: Listener): void;
}

/** A port whose messages are cloned: a MessagePort, a worker, a service worker's client. */
export interface MessagePortLike extends PortEvents {
  postMessage(message: unknown): void;
  start?(): void;
}

/** A web socket of a browser, of Node's package `ws`, of Deno or of a Durable Object. */
export interface WebSocketLike extends PortEvents {
  readonly readyState: number;
  binaryType?: string;
  send(bytes: Uint8Array<ArrayBuffer>): void;
}

/** The line between a log and its mirror. Nobody else may use it meanwhile. */
export type MirrorPort = MessagePortLike | WebSocketLike;

/** The code with which a socket is closed that no other attempt would change. */
export const CLOSE_FATAL = 4400;

const OPEN = 1;

export function checkPort(name: string, port: unknown): void {
  const { postMessage, send, addEventListener } = (port ?? {}) as Partial<
    MessagePortLike & WebSocketLike
  >;
  const canPost = typeof postMessage === 'function' || typeof send === 'function';
  if (canPost && typeof addEventListener === 'function') return;
  throw mistake(`${name} must be a MessagePort or a WebSocket, with addEventListener`, port);
}

/** Passes each message that is bytes to `onBytes`, and calls `onEnd` when the port ends. */
export function listen(
  port: MirrorPort,
  onBytes: (bytes: Uint8Array) => void,
  onEnd: () => void,
): () => void {
  const onMessage = (event: Event): void => {
    const { data } = event as MessageEvent<unknown>;
    if (isBytes(data)) onBytes(data);
    else if (isBuffer(data)) onBytes(new Uint8Array(data));
  };
  if ('send' in port) port.binaryType = 'arraybuffer';
  port.addEventListener('message', onMessage);
  for (const type of ['close', 'error']) port.addEventListener(type, onEnd);
  if ('start' in port) port.start?.();
  return () => {
    port.removeEventListener('message', onMessage);
    for (const type of ['close', 'error']) port.removeEventListener(type, onEnd);
  };
}

/** Throws a `SinkError` where the socket is closed. */
export function post(port: MirrorPort, bytes: Uint8Array<ArrayBuffer>): void {
  if ('postMessage' in port) return port.postMessage(bytes);
  if (port.readyState !== OPEN) throw new SinkError('retry', 'the socket to the mirror is closed');
  port.send(bytes);
}

/** Whether a socket has ended, or is about to. */
export function isClosed(port: MirrorPort): boolean {
  return !('postMessage' in port) && port.readyState > OPEN;
}

/** Closes a port that is nobody else's. */
export function closePort(port: MirrorPort): void {
  (port as { close?(): void }).close?.();
}

/** Resolves when the port can post. Rejects with a `SinkError` where its socket does not open. */
export function opened(port: MirrorPort): Promise<void> {
  if ('postMessage' in port || port.readyState === OPEN) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(new SinkError('retry', 'the socket to the mirror is closed'));
    if (port.readyState > OPEN) fail();
    port.addEventListener('open', () => resolve());
    port.addEventListener('close', fail);
    port.addEventListener('error', fail);
  });
}
