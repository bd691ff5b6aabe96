/**
 * @typedef {object} Case
 * @property {string} name
 * @property {string} [package] the folder of node_modules whose version the table shows
 * @property {string} writes what the app has to write for tablog: a cell of the table
 * @property {'ts' | 'js'} language what it takes for its entry; 'js' is the .ts without its types
 * @property {Record<string, string>} files the app, but for its entry
 * @property {readonly string[]} [build] a module of node_modules and its arguments, run in the app
 * @property {string} [folder] what is served then; default: the app itself
 * @property {readonly string[]} [server] instead: a server of its own, run in the app
 * @property {Record<string, string>} [copies] from node_modules into what is served, by their new name
 * @property {boolean} [noInline] it has no `tablog/inline`
 * @property {Partial<Case> & { told: RegExp }} [without] the app that lacks what it has to write, and
 * the error that tells its author
 */

const ICON = '<link rel="icon" href="data:,">'; // a browser asks for one, and its lack is an error

/** @param {string} script */
const page = (script, head = '') =>
  `<!doctype html>\n<meta charset="utf-8">\n${ICON}\n${head}${script}\n`;

const MODULE_TS = page('<script type="module" src="./main.ts"></script>');
const MODULE_JS = page('<script type="module" src="./main.js"></script>');

/** @param {Record<string, string>} imports */
const importMap = (imports) =>
  page(
    '<script type="module" src="./main.js"></script>',
    `<script type="importmap">${JSON.stringify({ imports })}</script>\n`,
  );

const NOTHING = 'nothing';
const EXCLUDE = "optimizeDeps: { exclude: ['tablog'] }";
const TARGET = "build: { target: 'es2022' }";
const VITE_SERVER = ['--force', '--host', '127.0.0.1', '--port', '0'];

/** @param {string} config */
const viteApp = (config) => ({
  'index.html': MODULE_TS,
  ...(config !== '' && { 'vite.config.js': `export default { ${config} };\n` }),
});

/**
 * @param {number} version
 * @returns {Case[]}
 */
const vite = (version) => [
  {
    name: 'Vite, build',
    package: `vite${version}`,
    writes: version >= 7 ? NOTHING : `\`${TARGET}\`, for \`await\` outside of functions`,
    language: 'ts',
    files: viteApp(version >= 7 ? '' : TARGET),
    build: [`vite${version}/bin/vite.js`, 'build', '--outDir', 'out'],
    folder: 'out',
  },
  {
    name: 'Vite, dev server',
    package: `vite${version}`,
    writes: version >= 8 ? NOTHING : `\`${EXCLUDE}\``,
    language: 'ts',
    files: viteApp(version >= 8 ? '' : EXCLUDE),
    server: [`vite${version}/bin/vite.js`, ...VITE_SERVER],
    ...(version < 8 && {
      without: { files: viteApp(''), told: /optimizeDeps: \{ exclude: \['tablog'\] \}/ },
    }),
  },
];

const NOT_COPIED = /\/tablog-worker\.js was answered with status 404\. .*dist\/tablog-worker\.js/;

/** @type {readonly Case[]} */
export const CASES = [
  ...vite(8),
  ...vite(7),
  ...vite(6),
  {
    name: 'webpack',
    package: 'webpack',
    writes: NOTHING,
    language: 'js',
    files: { 'index.html': page('<script defer src="./main.js"></script>') },
    build: ['webpack-cli/bin/cli.js', '--entry', './main.js', '-o', 'out', '--mode', 'production'],
    folder: 'out',
  },
  {
    name: 'Rspack',
    package: '@rspack/core',
    writes: NOTHING,
    language: 'js',
    files: { 'index.html': page('<script defer src="./main.js"></script>') },
    build: ['@rspack/cli/bin/rspack.js', 'build', '--entry', './main.js', '-o', 'out'],
    folder: 'out',
  },
  {
    name: 'Parcel',
    package: 'parcel',
    writes: NOTHING,
    language: 'ts',
    files: { 'index.html': MODULE_TS },
    build: ['parcel/lib/bin.js', 'build', 'index.html', '--dist-dir', 'out', '--no-cache'],
    folder: 'out',
  },
  {
    name: 'esbuild',
    package: 'esbuild',
    writes:
      'one entry more: `esbuild main.ts tablog-worker=tablog/worker --bundle --format=esm --outdir=out`',
    language: 'ts',
    files: { 'index.html': MODULE_JS },
    build: [
      '.bin/esbuild',
      'main.ts',
      'tablog-worker=tablog/worker',
      '--bundle',
      '--format=esm',
      '--outdir=out',
    ],
    folder: 'out',
    without: {
      build: ['.bin/esbuild', 'main.ts', '--bundle', '--format=esm', '--outdir=out'],
      told: NOT_COPIED,
    },
  },
  {
    name: 'Rollup',
    package: 'rollup',
    writes: "one entry more: `input: { main: 'main.js', 'tablog-worker': 'tablog/worker' }`",
    language: 'js',
    files: {
      'index.html': MODULE_JS,
      'rollup.config.js': `import resolve from '@rollup/plugin-node-resolve';
export default {
  input: { main: 'main.js', 'tablog-worker': 'tablog/worker' },
  output: { dir: 'out' },
  plugins: [resolve()],
};
`,
    },
    build: ['rollup/dist/bin/rollup', '--config'],
    folder: 'out',
  },
  {
    name: 'no bundler, two files copied',
    writes:
      'an import map, `{ "imports": { "tablog": "./tablog.js" } }`, and beside it `tablog.js` and `tablog-worker.js` of `node_modules/tablog/dist`',
    language: 'js',
    files: { 'index.html': importMap({ tablog: './tablog.js' }) },
    copies: {
      'tablog.js': 'tablog/dist/tablog.js',
      'tablog-worker.js': 'tablog/dist/tablog-worker.js',
    },
    noInline: true,
    without: { copies: { 'tablog.js': 'tablog/dist/tablog.js' }, told: NOT_COPIED },
  },
  {
    name: 'no bundler, `node_modules` served',
    writes:
      'an import map: `tablog/dist/index.js`, `comlink/dist/esm/comlink.mjs` and `fflate/esm/browser.js`; for `tablog/inline`, `idb/build/index.js`',
    language: 'js',
    files: {
      'index.html': importMap({
        tablog: './node_modules/tablog/dist/index.js',
        'tablog/inline': './node_modules/tablog/dist/inline.js',
        comlink: './node_modules/comlink/dist/esm/comlink.mjs',
        fflate: './node_modules/fflate/esm/browser.js',
        idb: './node_modules/idb/build/index.js',
      }),
    },
    copies: Object.fromEntries(
      ['tablog', 'comlink', 'fflate', 'idb'].map((name) => [`node_modules/${name}`, name]),
    ),
  },
];
