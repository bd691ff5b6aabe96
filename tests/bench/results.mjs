import { median, percentile } from './statistics.mjs';

/**
 * @typedef {import('./measure.mjs').Row} Row
 * @typedef {import('./measure-latency.mjs').Latencies} Latencies
 * @typedef {import('./measure-background.mjs').Background} Background
 * @typedef {import('./measure-group.mjs').GroupSamples} GroupSamples
 *
 * @typedef {object} Rate
 * @property {'write' | 'read'} direction
 * @property {string} label
 * @property {number} records  In each round.
 * @property {number} recordsPerSecond  The median of the rounds.
 * @property {number} megabytesPerSecond  Of keys and values, in millions of bytes.
 * @property {number} spread  Slowest to fastest round, as a share of the median.
 * @property {number | null} toDexie  null: not to be compared.
 * @property {number | null} toIdb
 * @property {number | null} ofCeiling
 * @property {number[]} samplesMs
 *
 * @typedef {{ label: string, p50Ms: number, p99Ms: number, toRaw: number | null }} Latency
 * @typedef {object} BackgroundTime
 * @property {string} label
 * @property {number | null} megabytesPerSecond  Of what was merged or compacted; null: nothing was.
 * @property {number} p50Ms  Of the sends meanwhile.
 * @property {number} p99Ms
 * @property {number | null} toRest  The p99, to that of sends that nothing is beside.
 * @property {number} sends
 *
 * @typedef {{ title: string, rates: Rate[] }} Table
 * @typedef {Record<'browser' | 'cpus' | 'node' | 'date', string>} Environment
 * @typedef {{ label: string, p50Ms: number, p99Ms: number, runs: number }} GroupTime
 * @typedef {object} Results
 * @property {Table[]} tables
 * @property {Latency[]} latencies
 * @property {BackgroundTime[]} background
 * @property {GroupTime[]} groups
 * @property {Environment} environment
 */

/**
 * @param {readonly Row[]} rows
 * @returns {Rate[]}
 */
export function ratesOf(rows) {
  const directions = /** @type {const} */ (['write', 'read']);
  return directions.flatMap((direction) => {
    const of = rows.filter((row) => row.direction === direction);
    /** @param {Row['subject']} subject @returns {Row} */
    const reference = (subject) => {
      const row = of.find((candidate) => candidate.subject === subject);
      if (row === undefined) throw new Error(`'${subject}' was not measured`);
      return row;
    };
    const dexie = rateOf(reference('dexie'));
    const idb = rateOf(reference('idb'));
    const raw = bytesRateOf(reference('raw'));
    return of.map((row) => ({
      direction,
      label: row.label,
      records: row.samples[0]?.records ?? 0,
      recordsPerSecond: rateOf(row),
      megabytesPerSecond: bytesRateOf(row) / 1e6,
      spread: spreadOf(row),
      toDexie: row.subject === 'tablog' ? rateOf(row) / dexie : null,
      toIdb: row.subject === 'tablog' ? rateOf(row) / idb : null,
      ofCeiling: row.subject === 'raw' ? null : bytesRateOf(row) / raw,
      samplesMs: row.samples.map(({ ms }) => ms),
    }));
  });
}

/** @param {Latencies} latencies @returns {Latency[]} */
export function latenciesOf({ tablog, memory, raw, endToEnd }) {
  const rawP50 = median(raw);
  /** @param {string} label @param {number[]} values @param {boolean} compare */
  const of = (label, values, compare) => ({
    label,
    p50Ms: median(values),
    p99Ms: percentile(values, 0.99),
    toRaw: compare ? median(values) / rawP50 : null,
  });
  return [
    of('IndexedDB: one put, until its transaction is complete', raw, false),
    of('tablog: one send, until its ack', tablog, true),
    of('tablog: one send to a topic in memory', memory, true),
    of('tablog: one record, from send in one tab to for await in another', endToEnd.disk, false),
    of('the same by a topic in memory', endToEnd.memory, false),
    of('BroadcastChannel: one message, from one tab to another', endToEnd.channel, false),
  ];
}

/** @param {Background} background @returns {BackgroundTime[]} */
export function backgroundTimesOf({ restMs, works: { merge, compact } }) {
  const restP99 = percentile(restMs, 0.99);
  /** @param {string} label @param {Background['works']['merge']} work */
  const beside = (label, { megabytesPerSecond, besideMs }) => ({
    label,
    megabytesPerSecond: median(megabytesPerSecond),
    p50Ms: median(besideMs),
    p99Ms: percentile(besideMs, 0.99),
    toRest: percentile(besideMs, 0.99) / restP99,
    sends: besideMs.length,
  });
  return [
    {
      label: 'tablog: one send, until its ack, at rest',
      megabytesPerSecond: null,
      p50Ms: median(restMs),
      p99Ms: restP99,
      toRest: null,
      sends: restMs.length,
    },
    beside('tablog: the same, while rows of 4 KiB are merged', merge),
    beside('tablog: the same, while keys written 10 times are compacted', compact),
  ];
}

const DEATHS = { crash: 'a tab crashes', close: 'a tab is closed' };

/** @param {GroupSamples} samples @returns {GroupTime[]} */
export function groupTimesOf({ plan: { host, partitions }, joinsMs, takeovers }) {
  const brokers = host === 'shared' ? 'one SharedWorker' : 'a worker a tab';
  /** @param {string} what @param {number[]} values */
  const of = (what, values) => ({
    label: `${brokers}, ${partitions} partitions: ${what}`,
    p50Ms: median(values),
    p99Ms: percentile(values, 0.99),
    runs: values.length,
  });
  const deaths = [...takeovers].flatMap(([how, samples]) => [
    of(
      `${DEATHS[how]}, until the first delivery elsewhere`,
      samples.map(({ firstMs }) => firstMs),
    ),
    of(
      `${DEATHS[how]}, until all its partitions are delivered`,
      samples.map(({ lastMs }) => lastMs),
    ),
  ]);
  return [...deaths, of('a member joins, until the group is balanced', joinsMs)];
}

/** @param {Row} row */
function rateOf({ samples }) {
  return median(samples.map(({ records, ms }) => (records / ms) * 1000));
}

/** @param {Row} row */
function bytesRateOf({ samples }) {
  return median(samples.map(({ bytes, ms }) => (bytes / ms) * 1000));
}

/** @param {Row} row */
function spreadOf(row) {
  const rates = row.samples.map(({ records, ms }) => (records / ms) * 1000);
  return (Math.max(...rates) - Math.min(...rates)) / rateOf(row);
}
