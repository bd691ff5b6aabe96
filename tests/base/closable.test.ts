import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

/** `Symbol` as WebKit has it: `Symbol.asyncDispose` cannot be deleted where it is. */
function symbolWithoutDispose(): SymbolConstructor {
  const native = Symbol;
  const without = Object.assign((text?: string) => native(text), { prototype: {} });
  for (const name of Reflect.ownKeys(native)) {
    if (name === 'dispose' || name === 'asyncDispose' || name === 'length') continue;
    const property = Object.getOwnPropertyDescriptor(native, name)!;
    Object.defineProperty(without, name, { ...property, configurable: true });
  }
  return without as unknown as SymbolConstructor;
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

describe.each([
  ['where there is a Symbol.asyncDispose', false],
  ['where there is none', true],
])('%s', (_, isMissing) => {
  beforeEach(() => {
    if (isMissing) vi.stubGlobal('Symbol', symbolWithoutDispose());
    vi.resetModules();
  });

  test('await using closes', async () => {
    expect(Symbol.asyncDispose === undefined).toBe(isMissing);
    const { Closable } = await import('../../src/base/handle.ts');
    const closed: string[] = [];
    class Handle extends Closable {
      override async close(): Promise<void> {
        closed.push('handle');
      }
    }
    {
      await using handle = new Handle();
      expect('undefined' in handle).toBe(false);
      expect(closed).toEqual([]);
    }
    expect(closed).toEqual(['handle']);
  });

  test('logs, producers and consumers can be used so', async () => {
    const { openLog } = await import('../../src/index.ts');
    const { inline } = await import('../../src/inline.ts');
    await using log = await openLog('shop', { host: inline({ storage: 'memory' }) });
    await using producer = log.producer();
    await using consumer = log.consumer({ topics: ['t'] });
    for (const handle of [log, producer, consumer]) expect('undefined' in handle).toBe(false);
  });
});
