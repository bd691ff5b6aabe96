/**
 * @typedef {import('./measure.mjs').Bench} Bench
 * @typedef {{ tablog: number[], raw: number[], endToEnd: number[] }} Latencies  In milliseconds.
 */

/**
 * One record at a time: until it is stored, beside a raw put of the same bytes; and until another
 * tab has it.
 * @param {Bench} bench
 * @param {number} count
 * @returns {Promise<Latencies>}
 */
export async function measureLatencies({ browser, site, say }, count) {
  say('one record sent and awaited');
  const storing = await browser.openPage(site.isolatedOrigin('latency'));
  const { tablog, raw } = /** @type {Latencies} */ (await storing.call('measureLatency', count));
  await storing.close();
  await browser.workersGone();

  say('one record from tab to tab');
  const receiver = await browser.openPage(site.isolatedOrigin('tabs'));
  await receiver.call('startReceiving', count);
  const sender = await browser.openPage(site.isolatedOrigin('tabs'));
  const sent = /** @type {number[]} */ (await sender.call('sendAll', count));
  const seen = /** @type {number[]} */ (await receiver.call('received'));
  await Promise.all([sender.close(), receiver.close()]);
  return { tablog, raw, endToEnd: seen.map((at, i) => at - (sent[i] ?? Number.NaN)) };
}
