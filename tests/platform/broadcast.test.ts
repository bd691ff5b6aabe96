import { afterEach, describe, expect, test, vi } from 'vitest';
import { openLog, string, topic } from '../../src/index.ts';
import { inline } from '../../src/inline.ts';
import { openBroadcast } from '../../src/platform/broadcast.ts';
import { openHintChannel } from '../../src/protocol/hint.ts';

afterEach(() => vi.unstubAllGlobals());

/** As in a context that may not have channels. */
function Refused(): never {
  throw new DOMException('denied', 'SecurityError');
}

/** As in Deno, after another channel was closed (`Uncaught TypeError: expected i32`). */
class Unsendable extends EventTarget {
  close(): void {}
  postMessage(): void {
    throw new TypeError('expected i32');
  }
}

describe.each([
  ['is missing', undefined],
  ['is null', null],
  ['is refused', Refused],
  ['cannot send', Unsendable],
])('where BroadcastChannel %s', (_, channel) => {
  test('a hint is lost, and a log works', async () => {
    vi.stubGlobal('BroadcastChannel', channel);
    const hints = openHintChannel('shop', () => {});
    hints.post({ kind: 'topics' });
    hints.close();
    hints.post({ kind: 'topics' });

    const host = inline({ storage: 'memory' });
    await using log = await openLog('shop', { host });
    const topics = [
      topic('a', { value: string() }),
      topic('b', { value: string(), storage: 'memory' }),
    ];
    await log.admin.createTopics(topics);
    for (const each of topics) await log.producer().send(each, { value: 'x' });
    await using other = await openLog('shop', { host });
    await using consumer = other.consumer({ topics: ['a'], from: 'earliest' });
    for await (const { offset } of consumer) {
      expect(offset).toBe(0);
      break;
    }
  });
});

test('a channel that is closed says and hears nothing more', () => {
  const posted = vi.fn();
  vi.stubGlobal(
    'BroadcastChannel',
    class extends EventTarget {
      postMessage = posted;
      close(): void {}
    },
  );
  const channel = openBroadcast('a')!;
  channel.post(1);
  channel.close();
  channel.post(2);
  channel.close();
  expect(posted.mock.calls).toEqual([[1]]);
});
