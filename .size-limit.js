/** ESM, as applications bundle it: `import.meta` has no meaning in esbuild's default format. */
const modifyEsbuildConfig = (config) => ({ ...config, format: 'esm' });

const CODECS = ['*/snappy.js', '*/lz4.js', '*/zstd.js'];

export default [
  {
    name: 'a tab, to produce and consume',
    path: 'dist/index.js',
    import: '{ openLog, topic, string }',
    // Loaded by openLog, beside the worker's start; a test of the layers holds them to that.
    ignore: [
      '*/compression/gzip.js',
      '*/compression/codecs.js',
      '*/admin-calls.js',
      '*/batch-failure.js',
      '*/decode-errors.js',
      '*/group-member.js',
      '*/held-submissions.js',
      '*/log-statuses.js',
      '*/raw-batches.js',
      '*/runner.js',
      '*/stored-batches.js',
      '*/transaction-manager.js',
      '*/witness-writer.js',
      '*/worker-fault.js',
    ],
    gzip: true,
    // The aim is 15 kB. Some 4 kB of what is over it are texts of errors, and what makes them helpful.
    limit: '32.2 kB',
    modifyEsbuildConfig,
  },
  {
    name: 'a tab, with groups, run(), transactions, log.admin and log.status()',
    path: 'dist/index.js',
    import: '{ openLog, topic, string }',
    ignore: ['*/compression/gzip.js', '*/compression/codecs.js', '*/worker-fault.js'],
    gzip: true,
    limit: '56.2 kB',
    modifyEsbuildConfig,
  },
  {
    name: 'the gzip codec',
    path: 'dist/record/compression/gzip.js',
    gzip: true,
    limit: '6.3 kB',
    modifyEsbuildConfig,
  },
  {
    name: 'what finds out why a worker does not start, loaded then',
    path: 'dist/client/connection/worker-fault.js',
    gzip: true,
    limit: '4 kB',
    modifyEsbuildConfig,
  },
  {
    name: 'what finds and loads codecs',
    path: 'dist/record/compression/codecs.js',
    ignore: CODECS,
    gzip: true,
    limit: '1.6 kB',
    modifyEsbuildConfig,
  },
  {
    name: 'the snappy codec, loaded on demand',
    path: 'dist/record/compression/snappy.js',
    gzip: true,
    limit: '2.2 kB',
    modifyEsbuildConfig,
  },
  {
    name: 'the lz4 codec, loaded on demand',
    path: 'dist/record/compression/lz4.js',
    gzip: true,
    limit: '2.3 kB',
    modifyEsbuildConfig,
  },
  {
    name: 'the zstd codec, loaded on demand',
    path: 'dist/record/compression/zstd.js',
    gzip: true,
    limit: '4.1 kB',
    modifyEsbuildConfig,
  },
  {
    name: 'tablog/broker: a broker with every store, without codecs',
    path: 'dist/broker.js',
    ignore: CODECS,
    gzip: true,
    limit: '61.5 kB',
    modifyEsbuildConfig,
  },
  {
    name: 'tablog/store-contract',
    path: 'dist/store-contract.js',
    gzip: true,
    limit: '7.5 kB',
    modifyEsbuildConfig,
  },
  {
    name: 'the worker',
    path: 'dist/tablog-worker.js',
    gzip: true,
    limit: '64.1 kB',
    modifyEsbuildConfig,
  },
];
