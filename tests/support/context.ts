import { vi } from 'vitest';

/** Defines functions that do nothing as these globals, until `vi.unstubAllGlobals()`. */
export function stubContext(...globals: readonly string[]): void {
  for (const name of globals) vi.stubGlobal(name, () => {});
}
