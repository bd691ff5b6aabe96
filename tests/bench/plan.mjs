/**
 * What is measured: samples of records, and for each sample who stores them, and how.
 *
 * @typedef {'tablog' | 'raw' | 'idb' | 'dexie'} Subject
 * @typedef {{ name: string, label: string }} Step  A case of the page, and its row in the table.
 * @typedef {object} Contender
 * @property {Subject} subject
 * @property {number} records
 * @property {Step} write
 * @property {readonly Step[]} reads  Each in a page of its own.
 * @property {'gzip'} [compression]
 * @typedef {object} Workload
 * @property {'100 B' | '1 KiB' | 'events'} sample
 * @property {string} title
 * @property {readonly Contender[]} contenders
 * @typedef {import('./page/group-tab.ts').GroupSetting & { deaths: readonly Death[] }} GroupPlan
 * @typedef {import('./tab.mjs').Death} Death
 * @typedef {object} BackgroundPlan
 * @property {number} sends  Beside each kind of work, at least.
 * @property {number} rest  Without any, each time.
 * @property {number} rows  In each partition, to be merged.
 * @property {number} keys  To be compacted.
 * @typedef {object} Plan
 * @property {number} rounds
 * @property {number} latencies
 * @property {BackgroundPlan} background
 * @property {number} deaths  Of each kind, in each group.
 * @property {readonly GroupPlan[]} groups
 * @property {readonly Workload[]} workloads
 */

/** @param {{ quick: boolean }} options @returns {Plan} */
export function makePlan({ quick }) {
  const share = quick ? 0.1 : 1;
  return {
    rounds: quick ? 1 : 3,
    latencies: quick ? 50 : 300,
    background: quick
      ? { sends: 50, rest: 100, rows: 600, keys: 4_000 }
      : { sends: 600, rest: 600, rows: 1_024, keys: 28_000 },
    deaths: quick ? 10 : 50,
    groups: [
      { host: 'shared', partitions: 8, deaths: ['crash', 'close'] },
      { host: 'dedicated', partitions: 8, deaths: ['crash', 'close'] },
      { host: 'shared', partitions: 256, deaths: ['crash'] },
      { host: 'dedicated', partitions: 256, deaths: ['crash'] },
    ],
    workloads: [
      workload('100 B', 'values of 100 bytes', { log: 500_000, rows: 20_000 }, share),
      workload('1 KiB', 'values of 1 KiB', { log: 80_000, rows: 15_000 }, share),
      workload('events', 'GitHub webhook events', { log: 12_000, rows: 5_000 }, share),
    ],
  };
}

/**
 * The log takes more records than a row a record can: what counts is the rate, and each needs long
 * enough to be measured.
 * @param {Workload['sample']} sample
 * @param {string} title
 * @param {{ log: number, rows: number }} records
 * @param {number} share
 * @returns {Workload}
 */
function workload(sample, title, records, share) {
  const log = Math.ceil(records.log * share);
  const rows = Math.ceil(records.rows * share);
  const reads = [
    { name: 'consumeByMessage', label: 'tablog, for await' },
    { name: 'consumeByBatches', label: 'tablog, batches()' },
    { name: 'consumeInGroup', label: 'tablog, for await in a group' },
  ];
  /** @type {Contender[]} */
  const contenders = [
    {
      subject: 'tablog',
      records: log,
      write: { name: 'produceBySend', label: 'tablog, send' },
      reads,
    },
    {
      subject: 'tablog',
      records: log,
      write: { name: 'produceBySendBatch', label: 'tablog, sendBatch of 1,000' },
      reads,
    },
    {
      subject: 'raw',
      records: log,
      write: { name: 'writeRaw', label: 'IndexedDB, 1 MiB buffers' },
      reads: [{ name: 'readRaw', label: 'IndexedDB, 1 MiB buffers' }],
    },
    {
      subject: 'idb',
      records: rows,
      write: { name: 'writeIdb', label: 'idb, a row a record' },
      reads: [{ name: 'readIdb', label: 'idb, a row a record' }],
    },
    {
      subject: 'dexie',
      records: rows,
      write: { name: 'writeDexie', label: 'Dexie, a row a record' },
      reads: [{ name: 'readDexie', label: 'Dexie, a row a record' }],
    },
  ];
  if (sample === 'events') {
    contenders.splice(2, 0, {
      subject: 'tablog',
      records: log,
      compression: 'gzip',
      write: { name: 'produceBySendBatch', label: 'tablog, sendBatch, gzip' },
      reads: [{ name: 'consumeByBatches', label: 'tablog, batches(), gzip' }],
    });
  }
  if (sample === '100 B') {
    contenders.splice(2, 0, {
      subject: 'tablog',
      records: log,
      write: { name: 'produceNotIdempotent', label: 'tablog, sendBatch, not idempotent' },
      reads: [],
    });
    contenders.splice(3, 0, {
      subject: 'tablog',
      records: log,
      write: { name: 'produceInMemory', label: 'tablog, sendBatch to a topic in memory' },
      reads: [],
    });
    for (const size of [1, 10, 100]) {
      const label = `tablog, transactions of ${size}`;
      const write = { name: `transactionsOf${size}`, label };
      const records = Math.ceil(1_000 * size * share);
      contenders.splice(-3, 0, { subject: 'tablog', records, write, reads: [] });
    }
  }
  return { sample, title, contenders };
}
