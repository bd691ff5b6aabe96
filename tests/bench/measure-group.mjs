import { Deliveries } from './deliveries.mjs';

/**
 * @typedef {import('./measure.mjs').Bench} Bench
 * @typedef {import('./page/group-tab.ts').GroupShape} GroupShape
 * @typedef {import('./page/group-tab.ts').Joined} Joined
 * @typedef {import('./plan.mjs').GroupPlan} GroupPlan
 * @typedef {import('./tab.mjs').Death} Death
 * @typedef {import('./tab.mjs').Tab} Tab
 *
 * @typedef {{ firstMs: number, lastMs: number }} Takeover
 *   From a tab's death to the first delivery of the first and of the last of its partitions.
 * @typedef {object} GroupSamples
 * @property {GroupPlan} plan
 * @property {number[]} joinsMs
 * @property {Map<Death, Takeover[]>} takeovers
 */

/** Besides the one that comes and dies. */
const MEMBERS = 3;

/**
 * Has a tab join the group and die, again and again, of each kind of death in turn, while another
 * tab sends to all partitions.
 * @param {Bench} bench
 * @param {GroupPlan} plan
 * @param {number} rounds
 * @returns {Promise<GroupSamples>}
 */
export async function measureGroup({ browser, site, say }, plan, rounds) {
  const { host, partitions, deaths } = plan;
  const title = `group, ${host}, ${partitions} partitions`;
  const origin = site.origin(`group-${host}-${partitions}`);
  const deliveries = new Deliveries();
  /** @type {Tab[]} */
  const tabs = [];

  /** @param {(news: unknown) => void} told */
  const openTab = async (told) => {
    const tab = await browser.openPage(origin, told);
    tabs.push(tab);
    await tab.call('openGroupTab', { host, partitions });
    return tab;
  };

  try {
    say(`${title}: its members join`);
    // The first one: what runs the SharedWorker is this tab's process, and this one never dies.
    const keeper = await openTab(deliveries.told);
    await keeper.call('createTopic');
    await keeper.call('startProducing');
    for (let i = 0; i < MEMBERS; i++) {
      const member = await openTab(deliveries.told);
      await member.call('joinGroup', 'processed');
    }
    const stayers = [...tabs];
    const workers = await browser.sharedWorkers();

    /** @param {number} members */
    const checkBalanced = async (members) => {
      const { state, shares } = /** @type {GroupShape} */ (await keeper.call('describeGroup'));
      const uneven = Math.max(...shares) - Math.min(...shares) > 1;
      if (state === 'stable' && shares.length === members && !uneven) return;
      throw new Error(`${title}: it is ${state}, and its members have ${shares.join(', ')}`);
    };

    /** @type {GroupSamples} */
    const samples = { plan, joinsMs: [], takeovers: new Map(deaths.map((how) => [how, []])) };

    /** @param {Death} how */
    const joinAndDie = async (how) => {
      const own = new Deliveries();
      const victim = await openTab(own.told);
      // It commits nothing: so each of its partitions has something to deliver when it is dead.
      const joined = /** @type {Joined} */ (await victim.call('joinGroup', 'manual'));
      samples.joinsMs.push(joined.ready - joined.asked);
      await checkBalanced(MEMBERS + 1);
      await own.after(joined.partitions, joined.asked, [victim]);

      const died = await victim.die(how);
      const delivered = await deliveries.after(joined.partitions, died, stayers);
      const firstMs = Math.min(...delivered) - died;
      const lastMs = Math.max(...delivered) - died;
      samples.takeovers.get(how)?.push({ firstMs, lastMs });
      tabs.pop();
      await victim.close();
      await checkBalanced(MEMBERS);
      if (String(await browser.sharedWorkers()) !== String(workers)) {
        throw new Error(`${title}: the tab has taken the SharedWorker with it`);
      }
    };

    for (let round = 0; round < rounds; round++) {
      if (round % 10 === 0) say(`${title}: joins and deaths, round ${round + 1} of ${rounds}`);
      for (const how of deaths) await joinAndDie(how);
    }
    return samples;
  } finally {
    await Promise.all(tabs.map((tab) => tab.close()));
    await browser.workersGone();
    await browser.clear(origin);
  }
}
