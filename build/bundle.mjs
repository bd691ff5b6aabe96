// Makes the two files that need no bundler, from what tsc has compiled: `dist/tablog.js`, all code
// that a page loads, and `dist/tablog-worker.js`, in place of the worker's module. A worker has no
// import map, so its file must not import by bare names. A bundler takes the whole file as it is.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const { name, version } = readJson('package.json');
const NOTICES = 'THIRD-PARTY-NOTICES.txt';

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: { tablog: 'dist/index.js', 'tablog-worker': 'dist/tablog-worker.js' },
  outdir: 'dist',
  allowOverwrite: true,
  bundle: true, // no splitting: code imported on demand is in the same file
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  minify: true,
  sourcemap: true,
  metafile: true,
  logLevel: 'warning',
  banner: { js: `/*! ${name} ${version}; the libraries in it: ${NOTICES} */` },
});

for (const file of ['tablog.js.map', 'tablog-worker.js.map']) dropOwnSources(`dist/${file}`);

const libraries = new Set(
  Object.keys(metafile.inputs).flatMap(
    (file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? [],
  ),
);
writeFileSync(path.join(root, 'dist', NOTICES), [...libraries].sort().map(noticeOf).join('\n\n'));

/**
 * Drops the package's own sources, which it has anyway, from a map: only the libraries' text stays.
 */
function dropOwnSources(file) {
  const map = readJson(file);
  const keep = (text, i) => (map.sources[i].startsWith('../src/') ? null : text);
  const sourcesContent = map.sourcesContent.map(keep);
  writeFileSync(path.join(root, file), JSON.stringify({ ...map, sourcesContent }));
}

/** The copyright and licence of a library, which must go with each copy. */
function noticeOf(library) {
  const folder = `node_modules/${library}`;
  const { version, license } = readJson(`${folder}/package.json`);
  const text = readFileSync(path.join(root, folder, 'LICENSE'), 'utf8').trim();
  return `${library} ${version} (${license})\n\n${text}\n`;
}

function readJson(file) {
  return JSON.parse(readFileSync(path.join(root, file), 'utf8'));
}
