// The unit tests make contexts of their own, and have of a page only what a test stubs. Deno and newer
// versions of Node have Web Locks, which would say that a test's clients are dead, and localStorage,
// which would tell a test of the logs of another.
const page: readonly (readonly [object | undefined, string])[] = [
  [globalThis.navigator, 'locks'],
  [globalThis, 'localStorage'],
];
for (const [owner, name] of page) {
  if (owner === undefined || !(name in owner)) continue;
  Object.defineProperty(owner, name, { value: undefined, configurable: true, writable: true });
}
