import type { LogDescription } from './admin-options.ts';

/** The browser's facts about the storage of the origin. */
export async function originStorage(): Promise<Pick<LogDescription, 'usageBytes' | 'persisted'>> {
  const manager = globalThis.navigator?.storage;
  const [estimate, persisted] = await Promise.all([
    // In a sandboxed frame without storage, `estimate()` rejects.
    manager?.estimate?.().catch(() => undefined),
    manager?.persisted?.().catch(() => undefined),
  ]);
  return { usageBytes: estimate?.usage, persisted: persisted ?? false };
}
