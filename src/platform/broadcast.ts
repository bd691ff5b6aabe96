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

/** Opens a channel; `undefined` where BroadcastChannel is missing or forbidden. */
export function openBroadcast(name: string): Broadcast | undefined {
  let channel: BroadcastChannel | undefined;
  try {
    channel = new BroadcastChannel(name);
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
