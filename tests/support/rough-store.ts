import type { Store } from '../../src/store/store.ts';
import { FaultStore } from './fault-store.ts';

/** Called before a read or an update, to give it a fault. */
export type Roughen = (store: FaultStore) => void;

/** A connection whose faults a random walk decides before each call. */
export class RoughStore extends FaultStore {
  readonly #roughen: { readonly update: Roughen; readonly read?: Roughen };

  constructor(inner: Store, roughen: { readonly update: Roughen; readonly read?: Roughen }) {
    super(inner);
    this.#roughen = roughen;
  }

  override read: FaultStore['read'] = (refs) => {
    this.#roughen.read?.(this);
    return super.read(refs);
  };

  override readSegments: FaultStore['readSegments'] = (requests) => {
    this.#roughen.read?.(this);
    return super.readSegments(requests);
  };

  override update: FaultStore['update'] = (refs, decide, options) => {
    this.#roughen.update(this);
    return super.update(refs, decide, options);
  };

  override updatePartitions: FaultStore['updatePartitions'] = (refs, decide, options) => {
    this.#roughen.update(this);
    return super.updatePartitions(refs, decide, options);
  };
}
