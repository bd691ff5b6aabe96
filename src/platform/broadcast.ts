/**
 * A BroadcastChannel that never throws. A message that cannot be posted is lost: senders have to
 * expect lost messages on every channel. In Deno `postMessage` throws after another channel was
 * closed.
 */
export interface Broadcast {
  post(message: unknown): void;
  listen(listener: (event: MessageEvent<unknown>) => void): void;
  close(): void;
}

/** What tablog uses of a `BroadcastChannel`. */
export interface Channel {
  /** Posts a copy of the message to every other channel of the name. */
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<unknown>) => void): void;
  close(): void;
}

/** Opens a channel of a platform: `undefined`: a BroadcastChannel; `null`: there are none. */
export type OpenChannel = ((name: string) => Channel) | null | undefined;

/** Opens a channel; `undefined` where there are none, or BroadcastChannel is forbidden. */
export function openBroadcast(
  name: string,
  open: OpenChannel = (of) => new BroadcastChannel(of),
): Broadcast | undefined {
  let channel: Channel | undefined;
  try {
    if (open === null) return undefined;
    channel = open(name);
    // An open channel would keep a Node process alive, so it is taken out of Node's count.
    (channel as { unref?: () => void }).unref?.();
  } catch {
    return undefined;
  }
  return {
    post(message) {
      try {
        channel?.postMessage(message);
      } catch {
        // A lost message is safe: every wait for an answer has a deadline.
      }
    },
    listen: (listener) => channel?.addEventListener('message', listener),
    close() {
      channel?.close();
      channel = undefined;
    },
  };
}
