/**
 * Makes a handle work behind any Proxy, as reactive libraries put around what they are given. Private
 * fields exist on the real object only, and a method called on a Proxy throws a `TypeError`
 * (https://tc39.es/ecma262/#sec-privatefieldget). So the handle has its methods and getters as
 * properties of its own, bound to itself; not enumerable, so that no copy takes them along.
 *
 * The first call of a constructor. Its cost is by handle, never by record.
 */
export function bindFacade(handle: object): void {
  const prototype = Object.getPrototypeOf(handle) as object;
  for (const key of Reflect.ownKeys(prototype)) {
    if (key === 'constructor') continue;
    const { value, get } = Object.getOwnPropertyDescriptor(prototype, key) as Member;
    const bound: PropertyDescriptor =
      get === undefined
        ? { value: value!.bind(handle), writable: true }
        : { get: get.bind(handle) };
    // A Proxy may answer with something else only where the property can be configured.
    Object.defineProperty(handle, key, { ...bound, configurable: true });
  }
  // Vue makes no Proxy of what has this mark (https://vuejs.org/api/reactivity-advanced.html#markraw).
  Object.defineProperty(handle, '__v_skip', { value: true, configurable: true });
}

interface Member {
  readonly value?: (this: unknown) => unknown;
  readonly get?: (this: unknown) => unknown;
}
