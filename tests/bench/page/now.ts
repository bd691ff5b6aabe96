/** Milliseconds since 1970, comparable between tabs, and with the other side, in Node. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}
