/**
 * A BroadcastChannel that never throws: what cannot be sent is lost, as a message on a channel may be
 * anyway. Deno's `postMessage` throws after another channel was closed.
 */
export interface Broadcast {
  post(message: unknown): void;
  listen(listener: (event: MessageEvent<unknown>) => void): void;
  close(): void;
}

/** `undefined` where there is no BroadcastChannel, or the context may not have one. */
export function openBroadcast(name: string): Broadcast | undefined {
  let channel: BroadcastChannel | undefined;
  try {
    channel = new BroadcastChannel(name);
    // In Node an open channel would keep the process alive.
    (channel as { unref?: () => void }).unref?.();
  } catch {
    return undefined;
  }
  return {
    post(message) {
      try {
        channel?.postMessage(message);
      } catch {
        // Who waits for an answer has a deadline.
      }
    },
    listen: (listener) => channel?.addEventListener('message', listener),
    close() {
      channel?.close();
      channel = undefined;
    },
  };
}
