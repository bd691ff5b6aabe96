import type { StoreContractCase } from './contract-case.ts';
import { lifetimeContract } from './lifetime-contract.ts';
import { partitionsContract } from './partitions-contract.ts';
import { rowsContract } from './rows-contract.ts';
import { segmentsContract } from './segments-contract.ts';

/**
 * What tablog relies on in a `Store`, case by case. Each case runs by itself, with any test runner
 * or none:
 *
 *     for (const { name, run } of storeContract()) test(name, () => run(open));
 *
 * `open` opens a store of a new, empty log at each call. A case that does not end has failed as
 * well: give it a time limit. Nothing here needs a clock, a disk or Node.
 */
export function storeContract(): readonly StoreContractCase[] {
  return [...rowsContract(), ...partitionsContract(), ...segmentsContract(), ...lifetimeContract()];
}
