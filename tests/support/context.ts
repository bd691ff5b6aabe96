import { onTestFinished, vi } from 'vitest';

/**
 * Defines functions that do nothing as these globals, until `vi.unstubAllGlobals()`. Without a
 * `Worker` among them the context has none until the test ends, also in Bun and Deno.
 */
export function stubContext(...globals: readonly string[]): void {
  const own = Object.getOwnPropertyDescriptor(globalThis, 'Worker');
  if (own !== undefined && !globals.includes('Worker')) {
    Reflect.deleteProperty(globalThis, 'Worker');
    onTestFinished(() => void Object.defineProperty(globalThis, 'Worker', own));
  }
  for (const name of globals) vi.stubGlobal(name, () => {});
}
