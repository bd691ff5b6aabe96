// `npm run readme` puts the examples, which the tests run, into README.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { withExamples } from './examples.mjs';

const root = new URL('../../', import.meta.url);
const readme = fileURLToPath(new URL('README.md', root));
const read = (/** @type {string} */ path) => readFileSync(new URL(path, root), 'utf8');
writeFileSync(readme, withExamples(readFileSync(readme, 'utf8'), read));
