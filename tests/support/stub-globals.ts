import { beforeEach, onTestFinished, vi } from 'vitest';

/** Runs the tests of a file or a suite without hints, which would arrive in real time. */
export function useNoHints(): void {
  beforeEach(() => {
    vi.stubGlobal('BroadcastChannel', undefined);
    onTestFinished(() => void vi.unstubAllGlobals());
  });
}
