// Makes the two files that need no bundler, of what tsc has compiled: `dist/tablog.js`, all that a
// page loads, and `dist/tablog-worker.js`, which takes the place of the worker's module. A worker has
// no import map, so its file must not import by bare names; a bundler takes the whole file as it is.
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
  bundle: true, // without splitting, so what is imported on demand is in the file
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

/** The package has its sources already: a map holds the text of the libraries only. */
function dropOwnSources(file) {
  const map = readJson(file);
  const keep = (text, i) => (map.sources[i].startsWith('../src/') ? null : text);
  const sourcesContent = map.sourcesContent.map(keep);
  writeFileSync(path.join(root, file), JSON.stringify({ ...map, sourcesContent }));
}

/** Who has the rights in a library, and the licence that goes with each copy. */
function noticeOf(library) {
  const folder = `node_modules/${library}`;
  const { version, license } = readJson(`${folder}/package.json`);
  const text = readFileSync(path.join(root, folder, 'LICENSE'), 'utf8').trim();
  return `${library} ${version} (${license})\n\n${text}\n`;
}

function readJson(file) {
  return JSON.parse(readFileSync(path.join(root, file), 'utf8'));
}
