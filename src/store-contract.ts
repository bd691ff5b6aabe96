export type { StoreContractCase } from './store/contract/contract-case.ts';
export { storeFactoryContract } from './store/contract/factory-contract.ts';
export type { StoreFactoryContractCase } from './store/contract/factory-contract.ts';
export { storeContract } from './store/contract/store-contract.ts';
