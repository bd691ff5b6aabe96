export type { StoreContractCase } from './store/contract/contract-case.ts';
export { storeContract } from './store/contract/store-contract.ts';
