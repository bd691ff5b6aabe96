import { withDeadline } from './deadline.mjs';

/**
 * When partitions were first delivered, as the tabs tell it.
 * @typedef {import('./page/first-deliveries.ts').Delivered} Delivered
 */
export class Deliveries {
  /** @readonly @type {Map<number, number>} */
  #times = new Map();
  #look = () => {};

  /** @param {unknown} news */
  told = (news) => {
    for (const [partition, at] of /** @type {Delivered} */ (news)) this.#times.set(partition, at);
    this.#look();
  };

  /**
   * The times after `since` at which these were first delivered, when all of them have been. Throws
   * what goes wrong meanwhile in one of the tabs.
   * @param {readonly number[]} partitions
   * @param {number} since
   * @param {readonly import('./tab.mjs').Tab[]} tabs
   * @returns {Promise<number[]>}
   */
  after(partitions, since, tabs) {
    /** @type {Promise<number[]>} */
    const all = new Promise((resolve) => {
      this.#look = () => {
        const times = partitions.flatMap((partition) => this.#times.get(partition) ?? []);
        const fresh = times.filter((at) => at > since);
        if (fresh.length === partitions.length) resolve(fresh);
      };
      this.#look();
    });
    const failures = tabs.map(({ failed }) => failed);
    return withDeadline(Promise.race([all, ...failures]), 'the delivery of all partitions');
  }
}
