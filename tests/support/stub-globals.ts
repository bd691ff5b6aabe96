import { beforeEach, onTestFinished, vi } from 'vitest';

/** Has the tests of a file, or of a suite, run without hints: one comes when it likes. */
export function useNoHints(): void {
  useNo('BroadcastChannel');
}

/** Has the tests run without Web Locks, which newer Nodes have: tests in browsers are about those. */
export function useNoLocks(): void {
  useNo('navigator');
}

function useNo(name: string): void {
  beforeEach(() => {
    vi.stubGlobal(name, undefined);
    onTestFinished(() => void vi.unstubAllGlobals());
  });
}
