import type { StoreContractCase } from './contract-case.ts';
import { lifetimeContract } from './lifetime-contract.ts';
import { partitionsContract } from './partitions-contract.ts';
import { rowsContract } from './rows-contract.ts';
import { segmentsContract } from './segments-contract.ts';

/**
 * The cases of all that tablog relies on in a `Store`. Each case runs by itself, with any test
 * runner or without one:
 *
 *     for (const { name, run } of storeContract()) test(name, () => run(open));
 *
 * `open` opens a store of a new, empty log at each call. A case that never settles has also failed,
 * so give each case a time limit. No case needs a clock, a disk or Node.
 */
export function storeContract(): readonly StoreContractCase[] {
  return [...rowsContract(), ...partitionsContract(), ...segmentsContract(), ...lifetimeContract()];
}
