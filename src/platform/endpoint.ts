/** A way to post messages to a broker: a MessagePort, a dedicated worker, or a `PeerChannel`. */
export interface Endpoint {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: Event) => void): void;
  start?(): void;
}
