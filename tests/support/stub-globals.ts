import { beforeEach, onTestFinished, vi } from 'vitest';

/** Runs the tests of a file or a suite without hints, which would arrive in real time. */
export function useNoHints(): void {
  useNo('BroadcastChannel');
}

/**
 * Runs the tests without Web Locks, which newer versions of Node have; browser tests cover them.
 */
export function useNoLocks(): void {
  useNo('navigator');
}

function useNo(name: string): void {
  beforeEach(() => {
    vi.stubGlobal(name, undefined);
    onTestFinished(() => void vi.unstubAllGlobals());
  });
}
