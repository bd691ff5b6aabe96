/**
 * @typedef {import('./measure.mjs').Bench} Bench
 * @typedef {import('./page/end-to-end.ts').Way} Way
 * @typedef {Record<'tablog' | 'memory' | 'raw', number[]>} Stored  In milliseconds.
 * @typedef {Stored & { endToEnd: Record<Way, number[]> }} Latencies
 */

/**
 * One record at a time: until it is stored, beside a raw put of the same bytes; and until another
 * tab has it, beside a bare message.
 * @param {Bench} bench
 * @param {number} count
 * @returns {Promise<Latencies>}
 */
export async function measureLatencies(bench, count) {
  const { browser, site, say } = bench;
  say('one record sent and awaited');
  const storing = await browser.openPage(site.isolatedOrigin('latency'));
  const stored = /** @type {Stored} */ (await storing.call('measureLatency', count));
  await storing.close();
  await browser.workersGone();
  const endToEnd = {
    disk: await fromTabToTab(bench, 'disk', count),
    memory: await fromTabToTab(bench, 'memory', count),
    channel: await fromTabToTab(bench, 'channel', count),
  };
  return { ...stored, endToEnd };
}

/**
 * @param {Bench} bench
 * @param {Way} way
 * @param {number} count
 */
async function fromTabToTab({ browser, site, say }, way, count) {
  say(`one record from tab to tab: ${way}`);
  const origin = site.isolatedOrigin(`tabs-${way}`);
  const receiver = await browser.openPage(origin);
  await receiver.call('startReceiving', way, count);
  const sender = await browser.openPage(origin);
  const sent = /** @type {number[]} */ (await sender.call('sendAll', way, count));
  const seen = /** @type {number[]} */ (await receiver.call('received'));
  await Promise.all([sender.close(), receiver.close()]);
  await browser.workersGone();
  return seen.map((at, i) => at - (sent[i] ?? Number.NaN));
}
