/**
 * Loads what a tab loads when it needs it: once that is there, nothing takes time but what a clock says.
 */
export async function loadParts(): Promise<void> {
  await import('../../src/client/group-member.ts');
  await import('../../src/client/runner.ts');
  await import('../../src/client/transactor.ts');
}
