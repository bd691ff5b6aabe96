import { test } from 'vitest';
import { openLog } from '../../src/index.ts';

/** As `@types/trusted-types` has it. */
declare class TrustedScriptURL {
  private constructor();
  toJSON(): string;
  toString(): string;
}

test('workerUrl is a string, a URL or a TrustedScriptURL', () => {
  const trusted = {} as TrustedScriptURL;
  void openLog('shop', { workerUrl: '/tablog-worker.js' });
  void openLog('shop', { workerUrl: new URL('https://shop.example/tablog-worker.js') });
  void openLog('shop', { workerUrl: trusted });
  // @ts-expect-error A number is no address.
  void openLog('shop', { workerUrl: 1 });
  // @ts-expect-error Neither is a function that makes one.
  void openLog('shop', { workerUrl: () => '/tablog-worker.js' });
});
