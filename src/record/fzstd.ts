// The one file that knows the library: the build puts its code in here (scripts/bundle-codecs.mjs), so
// that the package depends on it no more than on its other tools.
export { Decompress } from 'fzstd';
