import { vi } from 'vitest';

/** Has the context have these globals, until `vi.unstubAllGlobals()`; they do nothing. */
export function stubContext(...globals: readonly string[]): void {
  for (const name of globals) vi.stubGlobal(name, () => {});
}
